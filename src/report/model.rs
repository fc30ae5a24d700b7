//! The report model: what the daily tables say of a day, compared with the days before it.

mod suppress;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Timelike, Utc};

use crate::{
    domain::{
        day::{DayRule, Span},
        report::{
            Bin, DailyReport, DayCount, Headline, HeadlineKey, Histogram, HourCount, MIN_HISTORY_DAYS, Moved,
            Restatement,
        },
    },
    store::{
        Store,
        report::{self, BegunInHour, Binned, Breakdown, FirstReport, GroupTotals, ReportReader, Totals},
    },
};

/// Days before the report's that it is compared with.
pub const HISTORY_DAYS: u64 = 28;

/// Of the week before, days with rides that its mean needs.
const MIN_WEEK_DAYS: usize = 4;

/// The headlines in the order they are shown.
pub(super) const HEADLINES: [HeadlineKey; 9] = [
    HeadlineKey::Rides,
    HeadlineKey::Riders,
    HeadlineKey::NewRiders,
    HeadlineKey::DurationSeconds,
    HeadlineKey::EnergyKilojoules,
    HeadlineKey::PowerWattsMean,
    HeadlineKey::HeartRateBpmMean,
    HeadlineKey::LongestRideSeconds,
    HeadlineKey::PowerWattsMax,
];

const GENDERS: [&str; 4] = ["female", "male", "other", "unknown"];
const ZONES: [&str; 6] = ["z1", "z2", "z3", "z4", "z5", UNKNOWN];
/// What groups are called of which nothing is known.
const UNKNOWN: &str = "unknown";
const AGE_BANDS: [&str; 8] = [
    "under 18", "18–24", "25–34", "35–44", "45–54", "55–64", "65+", "unknown",
];

/// Towns that are listed at most.
const MOST_TOWNS: usize = 10;

/// Widths of the histograms' bins, as in `jobs/daily_power_histogram.sql` and `jobs/daily_heart_rate_histogram.sql`.
const POWER_BIN_WATTS: i64 = 20;
const HEART_RATE_BIN_BPM: i64 = 5;

/// Totals by day; days that were never computed are absent.
type History = BTreeMap<NaiveDate, Totals>;

/// What a report goes by, besides the tables.
#[derive(Debug, Clone, Copy)]
pub struct ReportRule {
    /// When days end.
    pub day: DayRule,
    /// More heart-rate alerts than this in a day are said first.
    pub alert_banner: u32,
}

impl Default for ReportRule {
    fn default() -> Self {
        ReportRule {
            day: DayRule::default(),
            alert_banner: 5,
        }
    }
}

/// The report of `day`, from the daily tables.
///
/// # Errors
/// A daily table is missing or was not filled for the day; the message names the run that fills it.
pub fn build(store: &Store, rule: &ReportRule, day: NaiveDate) -> Result<DailyReport> {
    let day_rule = &rule.day;
    let span = day_rule.span(day);
    let first = day - Days::new(HISTORY_DAYS);
    let reader = ReportReader::new(store, day)?;
    let history: History = reader
        .totals(first, day)?
        .into_iter()
        .map(|totals| (totals.day, totals))
        .collect();
    let totals = history.get(&day).ok_or_else(|| reader.missing("daily_totals"))?;

    let hours = reader.hours(first, day)?;
    if totals.rides > 0 && hours.iter().all(|hour| hour.day != day) {
        return Err(reader.missing("daily_by_hour").into());
    }
    let groups = |breakdown, table| match reader.groups(breakdown)? {
        groups if groups.is_empty() && totals.rides > 0 => Err(reader.missing(table)),
        groups => Ok(groups),
    };
    let bins = |binned, table, rides| match reader.bins(binned)? {
        bins if bins.is_empty() && rides > 0 => Err(reader.missing(table)),
        bins => Ok(bins),
    };

    let by_gender = suppress::suppress(in_order(groups(Breakdown::Gender, "daily_by_gender")?, &GENDERS));
    let by_age_band = suppress::suppress(in_order(groups(Breakdown::AgeBand, "daily_by_age_band")?, &AGE_BANDS));
    let cells = match reader.ages_and_genders()? {
        cells if cells.is_empty() && totals.rides > 0 => return Err(reader.missing("daily_by_age_and_gender").into()),
        cells => cells,
    };
    let headlines: Vec<_> = HEADLINES.iter().map(|&key| headline(key, &history, day)).collect();
    let sealing = report::sealing(store, day)?;
    let mut report = DailyReport {
        day,
        starts_at: span.start,
        ends_at: span.end,
        timezone: day_rule.timezone.name().to_owned(),
        hours_in_day: span.hours(),
        seal_count: sealing.map_or(0, |(seal_count, _)| seal_count),
        restatement: match (sealing, report::first_report(store, day)?) {
            (Some((seal_count, sealed_at)), Some(first)) if first.seal_count < seal_count => {
                Some(restatement(sealed_at, &first, &headlines))
            }
            _ => None,
        },
        headlines,
        rides_per_day: last_28_days(day)
            .map(|day| DayCount {
                day,
                rides: history.get(&day).map(|totals| totals.rides),
            })
            .collect(),
        rides_per_hour: rides_per_hour(day_rule, &history, &hours, day),
        by_age_and_gender: suppress::suppress_both_ways(cells, &by_age_band, &by_gender),
        by_gender,
        by_age_band,
        by_city: suppress::largest(groups(Breakdown::City, "daily_by_city")?, MOST_TOWNS),
        by_channel: suppress::suppress(unknown_last(groups(Breakdown::Channel, "daily_by_channel")?)),
        by_postcode_area: suppress::largest(
            unknown_last(groups(Breakdown::PostcodeArea, "daily_by_postcode_area")?),
            usize::MAX,
        ),
        heart_rate_zones: match reader.groups(Breakdown::HeartRateZone)? {
            zones if zones.is_empty() && totals.rides_with_heart_rate > 0 => {
                return Err(reader.missing("daily_heart_rate_zones").into());
            }
            zones => suppress::suppress(in_order(zones, &ZONES)),
        },
        power_per_ride: histogram(
            &bins(Binned::Power, "daily_power_histogram", totals.rides_with_power)?,
            POWER_BIN_WATTS,
            totals.power_watts_median,
        ),
        heart_rate_per_ride: histogram(
            &bins(
                Binned::HeartRate,
                "daily_heart_rate_histogram",
                totals.rides_with_heart_rate,
            )?,
            HEART_RATE_BIN_BPM,
            totals.heart_rate_bpm_median,
        ),
        quality: reader.quality()?,
    };
    report.quality.has_many_alerts = report.quality.alerts > i64::from(rule.alert_banner);
    Ok(report)
}

fn restatement(restated_at: DateTime<Utc>, first: &FirstReport, headlines: &[Headline]) -> Restatement {
    Restatement {
        restated_at,
        moved: Moved::since(&first.figures, headlines),
    }
}

/// The 28 days up to and including `day`, oldest first.
fn last_28_days(day: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    (0..HISTORY_DAYS).rev().map(move |days| day - Days::new(days))
}

fn headline(key: HeadlineKey, history: &History, day: NaiveDate) -> Headline {
    let on = |day: NaiveDate| history.get(&day).and_then(|totals| value(key, totals));
    // Days without rides say nothing of what a day with rides is like.
    let before = |days: u64| -> Vec<f64> {
        history
            .range(day - Days::new(days)..day)
            .filter(|(_, totals)| totals.rides > 0)
            .filter_map(|(_, totals)| value(key, totals))
            .collect()
    };
    let month = before(HISTORY_DAYS);
    let mean_28_days = mean(&month).filter(|_| month.len() >= MIN_HISTORY_DAYS);
    let week = before(7);
    let has_week = mean_28_days.is_some() && week.len() >= MIN_WEEK_DAYS;
    Headline {
        key,
        value: on(day),
        day_before: on(day - Days::new(1)),
        week_before: on(day - Days::new(7)),
        seven_day_mean: mean(&week).filter(|_| has_week),
        mean_28_days,
        stddev_28_days: mean_28_days.and_then(|mean| stddev(&month, mean)),
        last_28_days: last_28_days(day).map(on).collect(),
    }
}

fn value(key: HeadlineKey, totals: &Totals) -> Option<f64> {
    match key {
        HeadlineKey::Rides => Some(totals.rides as f64),
        HeadlineKey::Riders => Some(totals.riders as f64),
        HeadlineKey::NewRiders => Some(totals.new_riders as f64),
        HeadlineKey::DurationSeconds => Some(totals.duration_seconds as f64),
        HeadlineKey::EnergyKilojoules => Some(totals.energy_kilojoules),
        HeadlineKey::PowerWattsMean => totals.power_watts_mean,
        HeadlineKey::HeartRateBpmMean => totals.heart_rate_bpm_mean,
        HeadlineKey::LongestRideSeconds => totals.longest_ride_seconds.map(|seconds| seconds as f64),
        HeadlineKey::PowerWattsMax => totals.power_watts_max,
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation: the days are a sample of what days are like.
fn stddev(values: &[f64], mean: f64) -> Option<f64> {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The hours of `day`, with what the hour of that local name usually has: its mean over the days before that have
/// rides, where these are enough. An hour that a day has twice counts as two.
fn rides_per_hour(day_rule: &DayRule, history: &History, hours: &[BegunInHour], day: NaiveDate) -> Vec<HourCount> {
    let before = history.range(..day).filter(|(_, totals)| totals.rides > 0);
    let before: Vec<NaiveDate> = before.map(|(&day, _)| day).collect();
    let mut usual: HashMap<u32, (i64, i64)> = HashMap::new();
    for day in before.iter().copied().filter(|_| before.len() >= MIN_HISTORY_DAYS) {
        for hour in hours_of(day_rule, hours, day) {
            let (rides, times) = usual.entry(hour.hour).or_default();
            *rides += hour.rides;
            *times += 1;
        }
    }
    let mut of_day = hours_of(day_rule, hours, day);
    for hour in &mut of_day {
        hour.usual = usual.get(&hour.hour).map(|&(rides, times)| rides as f64 / times as f64);
    }
    of_day
}

/// Every hour of `day`, counted from its start, with the rides that began in it. A ride that began before the day (it
/// belongs to the day it ended in) counts in the first hour.
fn hours_of(day_rule: &DayRule, begun: &[BegunInHour], day: NaiveDate) -> Vec<HourCount> {
    let span = day_rule.span(day);
    let mut hours: Vec<_> = (0..span.hours())
        .map(|hour| {
            let starts_at = span.start + TimeDelta::hours(hour);
            let local = starts_at.with_timezone(&day_rule.timezone);
            HourCount {
                starts_at,
                hour: local.hour(),
                rides: 0,
                usual: None,
            }
        })
        .collect();
    for row in begun.iter().filter(|row| row.day == day) {
        for (quarter, rides) in (0..).zip(row.rides) {
            let hour = hour_in(span, row.starts_at + TimeDelta::minutes(15 * quarter));
            hours[hour].rides += rides;
        }
    }
    hours
}

/// Which hour of the span an instant is in; the first or the last for instants outside it.
fn hour_in(span: Span, instant: DateTime<Utc>) -> usize {
    let hour = (instant - span.start).num_hours().clamp(0, span.hours() - 1);
    usize::try_from(hour).expect("a day has at least an hour, and the hour is clamped to it")
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

/// A histogram of every bin from the lowest to the highest that has rides.
fn histogram(bins: &[(i64, i64)], width: i64, median: Option<f64>) -> Histogram {
    let rides_from: BTreeMap<i64, i64> = bins.iter().copied().collect();
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
