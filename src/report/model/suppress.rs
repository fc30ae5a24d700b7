//! What a breakdown may say: nothing of groups so small that they point to people, nor anything such a group could be
//! worked out from.

use std::collections::BTreeMap;

use crate::{
    domain::report::{AgeBand, Group, MIN_GROUP_RIDERS},
    store::report::GroupTotals,
};

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

/// The age bands of `ages` with the genders of `genders`, both with what they do not show. A cell is shown where it has
/// enough riders, its band's and its gender's totals are shown, and no small one could be worked out from a band's or a
/// gender's total less the others.
pub(super) fn suppress_both_ways(cells: Vec<(String, GroupTotals)>, ages: &[Group], genders: &[Group]) -> Vec<AgeBand> {
    let mut cells: BTreeMap<(String, String), GroupTotals> = cells
        .into_iter()
        .map(|(age, cell)| ((age, cell.name.clone()), cell))
        .collect();
    let mut rows: Vec<Vec<(GroupTotals, bool)>> = Vec::new();
    for age in ages {
        let cell = |gender: &Group| {
            let nobody = || GroupTotals {
                name: gender.name.clone(),
                rides: 0,
                riders: 0,
                duration_seconds: 0,
                energy_kilojoules: 0.0,
            };
            let cell = cells
                .remove(&(age.name.clone(), gender.name.clone()))
                .unwrap_or_else(nobody);
            let is_small = cell.riders < MIN_GROUP_RIDERS;
            (cell, is_small || age.is_suppressed || gender.is_suppressed)
        };
        rows.push(genders.iter().map(cell).collect());
    }
    // What hides one cell may leave another alone in the other direction.
    loop {
        let lines = (0..ages.len())
            .filter(|&row| !ages[row].is_suppressed)
            .map(|row| (0..genders.len()).map(|column| (row, column)).collect());
        let columns = (0..genders.len())
            .filter(|&column| !genders[column].is_suppressed)
            .map(|column| (0..ages.len()).map(|row| (row, column)).collect());
        let next = lines.chain(columns).find_map(|line: Vec<(usize, usize)>| {
            let at = |&(row, column): &(usize, usize)| &rows[row][column];
            let alone = line
                .iter()
                .map(at)
                .filter(|(cell, hidden)| *hidden && cell.riders > 0)
                .count()
                == 1;
            let shown = line.into_iter().filter(|place| !at(place).1);
            shown
                .min_by_key(|place| (at(place).0.riders, at(place).0.rides))
                .filter(|_| alone)
        });
        let Some((row, column)) = next else { break };
        rows[row][column].1 = true;
    }
    let bands = ages.iter().zip(rows).map(|(age, row)| AgeBand {
        name: age.name.clone(),
        genders: row.into_iter().map(|(cell, hidden)| figures(cell, hidden)).collect(),
    });
    bands.collect()
}

/// The first `most` groups that may be shown. The others are not even named: that somebody of a small town rode is
/// already something about a person.
pub(super) fn largest(groups: Vec<GroupTotals>, most: usize) -> Vec<Group> {
    suppress(groups)
        .into_iter()
        .filter(|group| !group.is_suppressed)
        .take(most)
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
        assert_eq!(largest(groups(&riders), 10).len(), 10);
        let few = largest(groups(&[("A", 30), ("B", 20), ("C", 10), ("D", 1)]), 10);
        assert_eq!(shown(&few), ["A", "B"]);
        assert_eq!(few.len(), 2);
    }

    /// Cells as `age gender riders`; which of them are shown, given the totals of both.
    fn cells_shown(cells: &[(&str, &str, i64)]) -> Vec<String> {
        let total = |name: &str, of: &dyn Fn(&(&str, &str, i64)) -> bool| {
            let riders = cells.iter().filter(|cell| of(cell)).map(|cell| cell.2).sum();
            groups(&[(name, riders)]).remove(0)
        };
        let names = |of: fn(&(&str, &str, i64)) -> String| {
            let mut names: Vec<_> = cells.iter().map(of).collect();
            names.sort();
            names.dedup();
            names
        };
        let ages = names(|cell| cell.0.to_owned());
        let genders = names(|cell| cell.1.to_owned());
        let ages = suppress(ages.iter().map(|age| total(age, &|cell| cell.0 == age)).collect());
        let genders = suppress(
            genders
                .iter()
                .map(|gender| total(gender, &|cell| cell.1 == gender))
                .collect(),
        );
        let totals = cells.iter().map(|&(age, gender, riders)| {
            let cell = groups(&[(gender, riders)]).remove(0);
            (age.to_owned(), cell)
        });
        let bands = suppress_both_ways(totals.collect(), &ages, &genders);
        let shown = bands.iter().flat_map(|band| {
            let shown = band.genders.iter().filter(|cell| !cell.is_suppressed);
            shown.map(|cell| format!("{} {}", band.name, cell.name))
        });
        shown.collect()
    }

    #[test]
    fn no_small_cell_can_be_worked_out_along_its_band_or_its_gender() {
        let all_large = [("a", "f", 10), ("a", "m", 20), ("b", "f", 30), ("b", "m", 40)];
        assert_eq!(cells_shown(&all_large), ["a f", "a m", "b f", "b m"]);
        // a f is small: it would follow from a's total, from f's, and then the other two from theirs.
        let one_small = [("a", "f", 3), ("a", "m", 20), ("b", "f", 30), ("b", "m", 40)];
        assert_eq!(cells_shown(&one_small), [""; 0]);
        // With a third band, that one can stay.
        let three = [
            ("a", "f", 3),
            ("a", "m", 20),
            ("b", "f", 30),
            ("b", "m", 40),
            ("c", "f", 50),
            ("c", "m", 60),
        ];
        assert_eq!(cells_shown(&three), ["c f", "c m"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_of_a_shown_total_hides_a_single_cell(riders in proptest::collection::vec(0..40_i64, 12)) {
            let places = riders.iter().enumerate();
            let cells: Vec<(String, String, i64)> = places
                .map(|(place, &riders)| (format!("a{}", place / 3), format!("g{}", place % 3), riders))
                .collect();
            let cells: Vec<(&str, &str, i64)> = cells.iter().map(|(age, gender, riders)| (&**age, &**gender, *riders)).collect();
            let shown = cells_shown(&cells);
            let is_shown = |age: &str, gender: &str| shown.contains(&format!("{age} {gender}"));
            for (age, gender, riders) in &cells {
                proptest::prop_assert!(*riders >= MIN_GROUP_RIDERS || !is_shown(age, gender));
            }
            for line in 0..7_usize {
                let of_line = |cell: &&(&str, &str, i64)| {
                    if line < 4 { cell.0 == format!("a{line}") } else { cell.1 == format!("g{}", line - 4) }
                };
                let of_line: Vec<_> = cells.iter().filter(of_line).collect();
                let hidden = of_line.iter().filter(|cell| !is_shown(cell.0, cell.1) && cell.2 > 0).count();
                let any_shown = of_line.iter().any(|cell| is_shown(cell.0, cell.1));
                proptest::prop_assert!(hidden != 1 || !any_shown, "{line} {cells:?} {shown:?}");
            }
        }
    }
}
