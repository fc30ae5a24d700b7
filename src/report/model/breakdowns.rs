//! Who rode, how and where: on one day, and on several together.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::suppress;
use crate::{
    domain::{
        report::{AgeBand, Bin, Breakdowns, Group, Histogram},
        rider::{AGE_BANDS, Gender},
    },
    store::{
        self,
        report::{BY_AGE_AND_GENDER, Binned, Breakdown, BreakdownRows, ByDay, GroupTotals, Totals},
    },
};

pub(super) const ZONES: [&str; 6] = ["z1", "z2", "z3", "z4", "z5", UNKNOWN];
/// What groups are called of which nothing is known.
const UNKNOWN: &str = "unknown";

/// Towns that are listed at most.
const MOST_TOWNS: usize = 10;

/// Widths of the histograms' bins, as in `jobs/daily_power_histogram.sql` and `jobs/daily_heart_rate_histogram.sql`.
const POWER_BIN_WATTS: i64 = 20;
const HEART_RATE_BIN_BPM: i64 = 5;

/// What is told of each of the days, which come oldest first, as its own report tells it; `of` is the day that the report
/// is of, or the last of those that it is of.
///
/// # Errors
/// A daily table has nothing of a day that has rides; the message names the run that fills it.
pub(in crate::report) fn of_days(
    rows: &BreakdownRows,
    days: &[&Totals],
    of: NaiveDate,
) -> store::Result<Vec<Breakdowns>> {
    let missing = |table: &str, day: NaiveDate| store::report::missing(of, table, day);
    let groups = |breakdown: Breakdown| {
        let rides = |totals: &Totals| match breakdown {
            Breakdown::HeartRateZone => totals.rides_with_heart_rate,
            _ => totals.rides,
        };
        each(rows.groups.get(&breakdown), days, rides).map_err(|day| missing(breakdown.table(), day))
    };
    let bins = |binned: Binned| {
        let rides = |totals: &Totals| match binned {
            Binned::Power => totals.rides_with_power,
            Binned::HeartRate => totals.rides_with_heart_rate,
        };
        each(rows.bins.get(&binned), days, rides).map_err(|day| missing(binned.table(), day))
    };
    let mut all = vec![Breakdowns::default(); days.len()];
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::Gender)?) {
        of.by_gender = suppress::suppress(in_order(rows, &Gender::ALL.map(Gender::name)));
    }
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::AgeBand)?) {
        of.by_age_band = suppress::suppress(in_order(rows, &AGE_BANDS));
    }
    let cells = each(Some(&rows.cells), days, |totals| totals.rides).map_err(|day| missing(BY_AGE_AND_GENDER, day))?;
    for (of, cells) in all.iter_mut().zip(cells) {
        of.by_age_and_gender = suppress::suppress_both_ways(cells, &of.by_age_band, &of.by_gender);
    }
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::City)?) {
        of.by_city = suppress::largest(rows, MOST_TOWNS);
    }
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::Channel)?) {
        of.by_channel = suppress::largest(unknown_last(rows), usize::MAX);
    }
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::PostcodeArea)?) {
        of.by_postcode_area = suppress::largest(unknown_last(rows), usize::MAX);
    }
    for (of, rows) in all.iter_mut().zip(groups(Breakdown::HeartRateZone)?) {
        of.heart_rate_zones = suppress::suppress_overlapping(in_order(rows, &ZONES));
    }
    for ((of, bins), totals) in all.iter_mut().zip(bins(Binned::Power)?).zip(days) {
        of.power_per_ride = histogram(bins, POWER_BIN_WATTS, totals.power_watts_median);
    }
    for ((of, bins), totals) in all.iter_mut().zip(bins(Binned::HeartRate)?).zip(days) {
        of.heart_rate_per_ride = histogram(bins, HEART_RATE_BIN_BPM, totals.heart_rate_bpm_median);
    }
    Ok(all)
}

/// The rows of each day.
///
/// # Errors
/// The first of the days that has `rides` and no row.
fn each<T: Clone>(
    rows: Option<&ByDay<T>>,
    days: &[&Totals],
    rides: impl Fn(&Totals) -> i64,
) -> std::result::Result<Vec<Vec<T>>, NaiveDate> {
    let of_day = |totals: &&Totals| {
        let rows = rows.and_then(|rows| rows.get(&totals.day)).cloned();
        match rows.unwrap_or_default() {
            rows if rows.is_empty() && rides(totals) > 0 => Err(totals.day),
            rows => Ok(rows),
        }
    };
    days.iter().map(of_day).collect()
}

/// What is told of several days together: see [`Breakdowns`]. `days` are those that have rides.
pub(in crate::report) fn together(days: &[Breakdowns]) -> Breakdowns {
    let groups = |of: fn(&Breakdowns) -> &Vec<Group>| sums(days.iter().map(|day| of(day).as_slice()).collect());
    let bands = days.first().map_or(&[][..], |day| &day.by_age_and_gender);
    let cells = bands.iter().map(|band| {
        let of_day = |day: &'_ Breakdowns| day.by_age_and_gender.iter().position(|other| other.name == band.name);
        let of_days = days.iter().map(|day| match of_day(day) {
            Some(place) => day.by_age_and_gender[place].genders.as_slice(),
            None => &[],
        });
        AgeBand {
            name: band.name.clone(),
            genders: sums(of_days.collect()),
        }
    });
    let histogram = |width, of: fn(&Breakdowns) -> &Histogram| {
        let bins = days.iter().flat_map(|day| &of(day).bins);
        histogram(bins.map(|bin| (edge(bin), bin.rides)).collect(), width, None)
    };
    let zoned = days.iter().map(|day| day.heart_rate_zones.as_slice());
    let mut areas = groups(|day| &day.by_postcode_area);
    // An area that some day does not show is not even named.
    areas.retain(|area| !area.is_suppressed);
    Breakdowns {
        by_gender: groups(|day| &day.by_gender),
        by_age_band: groups(|day| &day.by_age_band),
        by_age_and_gender: cells.collect(),
        by_city: Vec::new(),
        by_channel: most_rides_first(groups(|day| &day.by_channel)),
        by_postcode_area: most_rides_first(areas),
        // That nobody touched a sensor on some day is told by that day.
        heart_rate_zones: sums(zoned.filter(|zones| !zones.is_empty()).collect()),
        power_per_ride: histogram(POWER_BIN_WATTS, |day| &day.power_per_ride),
        heart_rate_per_ride: histogram(HEART_RATE_BIN_BPM, |day| &day.heart_rate_per_ride),
    }
}

/// The groups of all `days` with the sums of their figures, in the order in which they come; one that any of the days does
/// not show has none.
///
/// So these are sums of what the days show by themselves. Were a group shown that a day holds back, the sum less what the
/// other days show would be that day's.
fn sums(days: Vec<&[Group]>) -> Vec<Group> {
    let mut names: Vec<&str> = Vec::new();
    for group in days.iter().copied().flatten() {
        if !names.contains(&group.name.as_str()) {
            names.push(&group.name);
        }
    }
    let sum = |name: &str| {
        let of_days = days.iter().map(|day| {
            let group = day.iter().find(|group| group.name == name)?;
            let figures = (group.rides?, group.duration_seconds?, group.energy_kilojoules?);
            (!group.is_suppressed).then_some(figures)
        });
        let sum = of_days.reduce(|sum, of_day| {
            let ((rides, seconds, energy), of_day) = (sum?, of_day?);
            Some((rides + of_day.0, seconds + of_day.1, energy + of_day.2))
        });
        let sum = sum.flatten();
        Group {
            name: name.to_owned(),
            is_suppressed: sum.is_none(),
            rides: sum.map(|(rides, ..)| rides),
            riders: None,
            duration_seconds: sum.map(|(_, seconds, _)| seconds),
            energy_kilojoules: sum.map(|(.., energy)| energy),
        }
    };
    names.into_iter().map(sum).collect()
}

/// Most rides first, those without figures after them, and what is unknown last.
fn most_rides_first(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by_key(|group| (group.name == UNKNOWN, std::cmp::Reverse(group.rides)));
    groups
}

/// The groups in the order of `names`, with nothing for those without rides. A group that is not among them follows.
fn in_order(mut groups: Vec<GroupTotals>, names: &[&str]) -> Vec<GroupTotals> {
    if groups.is_empty() {
        return groups;
    }
    for &name in names {
        if groups.iter().all(|group| group.name != name) {
            let name = name.to_owned();
            groups.push(GroupTotals {
                name,
                rides: 0,
                riders: 0,
                duration_seconds: 0,
                energy_kilojoules: 0.0,
            });
        }
    }
    groups.sort_by_key(|group| names.iter().position(|&name| name == group.name).unwrap_or(names.len()));
    groups
}

/// The groups as they are, but the one of which nothing is known after the others.
fn unknown_last(mut groups: Vec<GroupTotals>) -> Vec<GroupTotals> {
    groups.sort_by_key(|group| group.name == UNKNOWN);
    groups
}

/// The lower edge of a bin, as the tables have it.
#[expect(clippy::cast_possible_truncation, reason = "edges are whole watts and beats")]
fn edge(bin: &Bin) -> i64 {
    bin.from as i64
}

/// A histogram of every bin from the lowest to the highest that has rides.
fn histogram(bins: Vec<(i64, i64)>, width: i64, median: Option<f64>) -> Histogram {
    let mut rides_from: BTreeMap<i64, i64> = BTreeMap::new();
    for (from, rides) in bins.into_iter().filter(|(_, rides)| *rides > 0) {
        *rides_from.entry(from).or_default() += rides;
    }
    let (Some((&lowest, _)), Some((&highest, _))) = (rides_from.first_key_value(), rides_from.last_key_value()) else {
        return Histogram {
            bin_width: width as f64,
            ..Histogram::default()
        };
    };
    let steps = 0..=(highest - lowest) / width;
    let from = steps.map(|step| lowest + step * width);
    Histogram {
        bin_width: width as f64,
        bins: from
            .map(|from| Bin {
                from: from as f64,
                rides: rides_from.get(&from).copied().unwrap_or(0),
            })
            .collect(),
        median,
        rides: rides_from.values().sum(),
    }
}
