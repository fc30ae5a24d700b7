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
/// The day's total less all groups that are shown is what those that are not have together: where that is of fewer riders
/// too, the next larger group is suppressed with them.
pub(super) fn suppress(groups: Vec<GroupTotals>) -> Vec<Group> {
    suppress_by(groups, |riders| riders.sum())
}

/// The same of groups of which a rider may be in several, as of heart rate zones: of those that are not shown one alone
/// has to have enough riders, since all of them may be the same people's.
pub(super) fn suppress_overlapping(groups: Vec<GroupTotals>) -> Vec<Group> {
    suppress_by(groups, |riders| riders.max().unwrap_or(0))
}

/// `at_least` says of how many people groups of so many riders are, at the least.
fn suppress_by(groups: Vec<GroupTotals>, at_least: impl Fn(&mut dyn Iterator<Item = i64>) -> i64) -> Vec<Group> {
    let mut is_suppressed: Vec<_> = groups.iter().map(|group| group.riders < MIN_GROUP_RIDERS).collect();
    loop {
        let places = || groups.iter().zip(&is_suppressed).enumerate();
        let hidden = places().filter(|(_, (_, suppressed))| **suppressed);
        if is_anonymous(at_least(&mut hidden.map(|(_, (group, _))| group.riders))) {
            break;
        }
        let shown = places().filter(|(_, (_, suppressed))| !**suppressed);
        let Some((next, _)) = shown.min_by_key(|(_, (group, _))| (group.riders, group.rides)) else {
            break;
        };
        is_suppressed[next] = true;
    }
    groups
        .into_iter()
        .zip(is_suppressed)
        .map(|(group, is_suppressed)| figures(group, is_suppressed))
        .collect()
}

/// Whether figures of so many riders say nothing about a person.
fn is_anonymous(riders: i64) -> bool {
    riders == 0 || riders >= MIN_GROUP_RIDERS
}

/// The age bands of `ages` with the genders of `genders`, both with what they do not show.
///
/// Whole bands and whole genders are left out, so that all that can be worked out of those that are left out is what some
/// of these have together: a band of all genders that are left out, a gender of all bands that are, all of both. Each of
/// these has enough riders or none, and so has each cell that is shown; of the ways to do that, the one that shows most.
pub(super) fn suppress_both_ways(cells: Vec<(String, GroupTotals)>, ages: &[Group], genders: &[Group]) -> Vec<AgeBand> {
    let mut cells: BTreeMap<(String, String), GroupTotals> = cells
        .into_iter()
        .map(|(age, cell)| ((age, cell.name.clone()), cell))
        .collect();
    let mut cell = |age: &Group, gender: &Group| {
        let cell = cells.remove(&(age.name.clone(), gender.name.clone()));
        cell.unwrap_or_else(|| GroupTotals {
            name: gender.name.clone(),
            rides: 0,
            riders: 0,
            duration_seconds: 0,
            energy_kilojoules: 0.0,
        })
    };
    let rows: Vec<Vec<GroupTotals>> = ages
        .iter()
        .map(|age| genders.iter().map(|gender| cell(age, gender)).collect())
        .collect();
    let riders: Vec<Vec<i64>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.riders).collect())
        .collect();
    let is_total_shown = |totals: &[Group]| totals.iter().map(|total| !total.is_suppressed).collect::<Vec<_>>();
    let (of_ages, of_genders) = (is_total_shown(ages), is_total_shown(genders));
    let (shown_ages, shown_genders) = subsets(&of_genders)
        .map(|genders| (bands_to_show(&riders, &of_ages, &genders), genders))
        .max_by_key(|(ages, genders)| {
            let shown = |all: &[bool]| all.iter().filter(|&&shown| shown).count();
            let of_shown = |all: &[bool], place: usize| all[place];
            let riders = riders.iter().enumerate().filter(|(row, _)| of_shown(ages, *row));
            let riders =
                riders.flat_map(|(_, row)| row.iter().enumerate().filter(|(column, _)| of_shown(genders, *column)));
            (
                shown(ages) * shown(genders),
                riders.map(|(_, riders)| riders).sum::<i64>(),
            )
        })
        .unwrap_or_default();
    let bands = ages
        .iter()
        .zip(rows)
        .zip(shown_ages)
        .map(|((age, row), is_band_shown)| AgeBand {
            name: age.name.clone(),
            genders: row
                .into_iter()
                .zip(&shown_genders)
                .map(|(cell, is_shown)| figures(cell, !(is_band_shown && *is_shown)))
                .collect(),
        });
    bands.collect()
}

/// Every choice among those that may be chosen.
fn subsets(may_be: &[bool]) -> impl Iterator<Item = Vec<bool>> {
    (0..1_u32 << may_be.len().min(16)).filter_map(|chosen| {
        let chosen = |place: usize| place < 16 && chosen >> place & 1 == 1;
        let is_allowed = may_be
            .iter()
            .enumerate()
            .all(|(place, may_be)| *may_be || !chosen(place));
        is_allowed.then(|| (0..may_be.len()).map(chosen).collect())
    })
}

/// Which bands can be shown, of those that `may_be`, where these genders are shown.
fn bands_to_show(riders: &[Vec<i64>], may_be: &[bool], genders: &[bool]) -> Vec<bool> {
    let of = |row: &[i64], is_shown: bool| {
        let cells = row.iter().zip(genders).filter(|(_, gender)| **gender == is_shown);
        cells.map(|(riders, _)| *riders).collect::<Vec<i64>>()
    };
    let is_fit = |row: &[i64]| {
        of(row, true).iter().all(|&riders| riders >= MIN_GROUP_RIDERS) && is_anonymous(of(row, false).iter().sum())
    };
    let mut shown: Vec<bool> = riders
        .iter()
        .zip(may_be)
        .map(|(row, may_be)| *may_be && is_fit(row))
        .collect();
    loop {
        let hidden: Vec<&Vec<i64>> = riders
            .iter()
            .zip(&shown)
            .filter(|(_, shown)| !**shown)
            .map(|(row, _)| row)
            .collect();
        let of_gender = |column: usize| hidden.iter().map(|row| row[column]).sum::<i64>();
        let of_shown = (0..genders.len()).filter(|&column| genders[column]).map(of_gender);
        let of_both = hidden.iter().flat_map(|row| of(row, false)).sum();
        if of_shown.chain([of_both]).all(is_anonymous) {
            return shown;
        }
        let smallest = (0..riders.len())
            .filter(|&row| shown[row])
            .min_by_key(|&row| riders[row].iter().sum::<i64>());
        match smallest {
            Some(row) => shown[row] = false,
            None => return shown,
        }
    }
}

/// The first `most` groups that may be shown. The others are not even named: that somebody of a small town rode is
/// already something about a person. Riders name them themselves, so what is no name of a town or a channel is not shown.
pub(super) fn largest(groups: Vec<GroupTotals>, most: usize) -> Vec<Group> {
    suppress(groups)
        .into_iter()
        .filter(|group| !group.is_suppressed && !group.name.contains('@'))
        .take(most)
        .map(|group| Group {
            name: shortened(&group.name),
            ..group
        })
        .collect()
}

/// A name as there is room for it.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
        None => name.to_owned(),
    }
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
    fn a_small_channel_is_not_named_nor_one_that_is_an_address_and_a_long_name_is_cut() {
        let long = "w".repeat(300);
        let groups = groups(&[
            ("tv", 40),
            ("friend kim", 2),
            ("ann@x.example", 9),
            (&long, 8),
            ("radio", 4),
        ]);
        let shown: Vec<_> = largest(groups, 9).into_iter().map(|group| group.name).collect();
        assert_eq!(shown, ["tv".to_owned(), format!("{}…", &long[..60])]);
    }

    #[test]
    fn of_groups_that_share_riders_one_that_is_left_out_has_enough_by_itself() {
        let zones = [("z1", 3), ("z2", 40), ("z3", 30), ("z5", 3)];
        assert_eq!(shown(&suppress(groups(&zones))), ["z2", "z3"], "were they other people");
        assert_eq!(shown(&suppress_overlapping(groups(&zones))), ["z2"]);
    }

    #[test]
    fn what_would_be_the_total_less_the_others_takes_the_next_larger_group_with_it() {
        assert_eq!(
            shown(&suppress(groups(&[("female", 40), ("male", 30), ("other", 2)]))),
            ["female"]
        );
        // Two small ones together are no larger than one.
        let two = groups(&[("female", 40), ("male", 30), ("other", 1), ("unknown", 1)]);
        assert_eq!(shown(&suppress(two)), ["female"]);
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
    fn whole_bands_and_genders_are_left_out_so_that_no_small_cell_can_be_worked_out() {
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
        // Few of another gender in each band: that gender goes and takes the smaller of the others with it.
        let few_others = [
            ("a", "f", 30),
            ("a", "m", 20),
            ("a", "o", 2),
            ("b", "f", 40),
            ("b", "m", 30),
            ("b", "o", 3),
        ];
        assert_eq!(cells_shown(&few_others), ["a f", "b f"]);
        // Where there are none in a band, its two others tell nothing of them.
        let others_in_one = [
            ("a", "f", 30),
            ("a", "m", 20),
            ("a", "o", 0),
            ("b", "f", 40),
            ("b", "m", 30),
            ("b", "o", 6),
        ];
        assert_eq!(cells_shown(&others_in_one), ["a f", "a m", "b f", "b m"]);
    }

    /// Vectors that are at right angles to each other and span the same.
    fn basis(vectors: impl IntoIterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for vector in vectors {
            let rest = less(vector, &basis);
            let length = rest.iter().map(|part| part * part).sum::<f64>().sqrt();
            if length > 1e-9 {
                basis.push(rest.iter().map(|part| part / length).collect());
            }
        }
        basis
    }

    /// What of a vector is not in the span of `basis`.
    fn less(mut vector: Vec<f64>, basis: &[Vec<f64>]) -> Vec<f64> {
        for direction in basis {
            let along: f64 = vector.iter().zip(direction).map(|(a, b)| a * b).sum();
            vector
                .iter_mut()
                .zip(direction)
                .for_each(|(part, of)| *part -= along * of);
        }
        vector
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn nothing_that_is_told_adds_up_to_few_riders(
            riders in proptest::collection::vec(proptest::prop_oneof![0..8_i64, 0..40_i64], 12),
        ) {
            let places = riders.iter().enumerate();
            let cells: Vec<(String, String, i64)> = places
                .map(|(place, &riders)| (format!("a{}", place / 3), format!("g{}", place % 3), riders))
                .collect();
            let cells: Vec<(&str, &str, i64)> = cells.iter().map(|(age, gender, riders)| (&**age, &**gender, *riders)).collect();
            let totals = |names: Vec<String>, of: fn(&(&str, &str, i64)) -> String| {
                let total = |name: &String| cells.iter().filter(|cell| of(cell) == *name).map(|cell| cell.2).sum();
                let named: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), total(name))).collect();
                suppress(groups(&named)).iter().filter(|group| !group.is_suppressed).map(|group| group.name.clone()).collect::<Vec<_>>()
            };
            let ages = totals((0..4).map(|age| format!("a{age}")).collect(), |cell| cell.0.to_owned());
            let genders = totals((0..3).map(|gender| format!("g{gender}")).collect(), |cell| cell.1.to_owned());
            let shown = cells_shown(&cells);
            // Each number that is told is a sum of cells; what can be worked out of them is what they span.
            let sum = |of: &dyn Fn(&(&str, &str, i64)) -> bool| cells.iter().map(|cell| f64::from(u8::from(of(cell)))).collect::<Vec<_>>();
            let told = [sum(&|_| true)]
                .into_iter()
                .chain(ages.iter().map(|age| sum(&|cell| cell.0 == age)))
                .chain(genders.iter().map(|gender| sum(&|cell| cell.1 == gender)))
                .chain(shown.iter().map(|name| sum(&|cell| format!("{} {}", cell.0, cell.1) == *name)));
            let told = basis(told);
            let all: i64 = riders.iter().sum();
            for some in 1..1_u32 << cells.len() {
                let is_in = |place: usize| some >> place & 1 == 1;
                let together: i64 = (0..cells.len()).filter(|&place| is_in(place)).map(|place| riders[place]).sum();
                if is_anonymous(together) || together == all {
                    continue;
                }
                let group = (0..cells.len()).map(|place| f64::from(u8::from(is_in(place)))).collect();
                let untold: f64 = less(group, &told).iter().map(|part| part.abs()).sum();
                proptest::prop_assert!(untold > 1e-6, "{some:b} of {cells:?} with {ages:?} {genders:?} {shown:?}");
            }
        }

        #[test]
        fn groups_that_are_left_out_have_enough_riders_together(
            riders in proptest::collection::vec(proptest::prop_oneof![0..8_i64, 0..40_i64], 0..9),
        ) {
            let all: Vec<_> = riders.iter().map(|&riders| ("", riders)).collect();
            let told = suppress(groups(&all));
            let hidden: i64 = told.iter().zip(&riders).filter(|(group, _)| group.is_suppressed).map(|(_, riders)| riders).sum();
            proptest::prop_assert!(is_anonymous(hidden) || hidden == riders.iter().sum::<i64>());
            proptest::prop_assert!(told.iter().all(|group| group.riders.is_none_or(|riders| riders >= MIN_GROUP_RIDERS)));
        }
    }
}
