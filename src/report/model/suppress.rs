//! What a breakdown may say: nothing of groups so small that they point to people, nor anything such a group could be
//! worked out from.

use crate::{
    domain::report::{Group, MIN_GROUP_RIDERS},
    store::report::GroupTotals,
};

/// Towns that are listed at most.
const MOST_TOWNS: usize = 10;

/// The groups, those of fewer than [`MIN_GROUP_RIDERS`] riders without figures, also those nobody rode in: that a
/// group is empty tells of the riders of a small day what they are not.
///
/// Where only one of them has any rider, its figures would be the day's total less all others: the next larger group
/// is suppressed with it.
pub(super) fn suppress(groups: Vec<GroupTotals>) -> Vec<Group> {
    let mut is_suppressed: Vec<_> = groups.iter().map(|group| group.riders < MIN_GROUP_RIDERS).collect();
    let derivable = groups
        .iter()
        .zip(&is_suppressed)
        .filter(|(group, suppressed)| **suppressed && group.riders > 0);
    if derivable.count() == 1 {
        let shown = groups.iter().enumerate().filter(|(index, _)| !is_suppressed[*index]);
        if let Some((next, _)) = shown.min_by_key(|(_, group)| (group.riders, group.rides)) {
            is_suppressed[next] = true;
        }
    }
    groups
        .into_iter()
        .zip(is_suppressed)
        .map(|(group, is_suppressed)| figures(group, is_suppressed))
        .collect()
}

/// The first ten groups that may be shown. The others are not even named: that somebody of a small town rode is
/// already something about a person.
pub(super) fn largest(groups: Vec<GroupTotals>) -> Vec<Group> {
    suppress(groups)
        .into_iter()
        .filter(|group| !group.is_suppressed)
        .take(MOST_TOWNS)
        .collect()
}

fn figures(group: GroupTotals, is_suppressed: bool) -> Group {
    Group {
        name: group.name,
        is_suppressed,
        rides: (!is_suppressed).then_some(group.rides),
        riders: (!is_suppressed).then_some(group.riders),
        duration_seconds: (!is_suppressed).then_some(group.duration_seconds),
        energy_kilojoules: (!is_suppressed).then_some(group.energy_kilojoules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(riders: &[(&str, i64)]) -> Vec<GroupTotals> {
        let group = |&(name, riders): &(&str, i64)| GroupTotals {
            name: name.to_owned(),
            rides: riders * 2,
            riders,
            duration_seconds: riders * 1000,
            energy_kilojoules: 20.0,
        };
        riders.iter().map(group).collect()
    }

    fn shown(groups: &[Group]) -> Vec<&str> {
        groups
            .iter()
            .filter(|group| !group.is_suppressed)
            .map(|group| group.name.as_str())
            .collect()
    }

    #[test]
    fn a_group_of_five_is_shown_and_one_of_four_says_nothing() {
        let groups = suppress(groups(&[("a", 5), ("b", 4), ("c", 4), ("d", 90)]));
        assert_eq!(shown(&groups), ["a", "d"]);
        let b = &groups[1];
        assert_eq!(
            (b.rides, b.riders, b.duration_seconds, b.energy_kilojoules),
            (None, None, None, None)
        );
        assert_eq!((groups[0].rides, groups[0].riders), (Some(10), Some(5)));
    }

    #[test]
    fn what_would_be_the_total_less_the_others_takes_the_next_larger_group_with_it() {
        assert_eq!(
            shown(&suppress(groups(&[("female", 40), ("male", 30), ("other", 2)]))),
            ["female"]
        );
        // An empty group beside it hides nothing, and neither does one of rides without a known rider.
        let mut with_empty = groups(&[("female", 40), ("male", 30), ("other", 2), ("unknown", 0)]);
        assert_eq!(shown(&suppress(with_empty.clone())), ["female"]);
        with_empty[3].rides = 7;
        assert_eq!(shown(&suppress(with_empty)), ["female"]);
        assert_eq!(shown(&suppress(groups(&[("female", 40), ("male", 3)]))), [""; 0]);
    }

    #[test]
    fn rides_without_a_known_rider_cost_no_group_its_figures() {
        let mut groups = groups(&[("female", 40), ("male", 30), ("unknown", 0)]);
        groups[2].rides = 3;
        assert_eq!(shown(&suppress(groups)), ["female", "male"]);
    }

    #[test]
    fn a_day_of_few_riders_does_not_tell_which_groups_are_empty() {
        let groups = suppress(groups(&[("female", 3), ("male", 0)]));
        assert!(groups.iter().all(|group| group.is_suppressed && group.rides.is_none()));
    }

    #[test]
    fn small_towns_are_not_named_and_ten_are_enough() {
        let names: Vec<_> = (0..12).map(|town| format!("town {town}")).collect();
        let riders: Vec<_> = names.iter().map(String::as_str).zip((6..18).rev()).collect();
        assert_eq!(largest(groups(&riders)).len(), 10);
        let few = largest(groups(&[("A", 30), ("B", 20), ("C", 10), ("D", 1)]));
        assert_eq!(shown(&few), ["A", "B"]);
        assert_eq!(few.len(), 2);
    }
}
