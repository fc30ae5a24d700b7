//! The report model: what the daily tables say of a day, compared with the days before it.

pub(super) mod breakdowns;
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
            DailyReport, DayCount, Headline, HeadlineKey, HourCount, MIN_HISTORY_DAYS, Moved, Quality, Restatement,
        },
    },
    store::{
        Store,
        report::{self, BegunInHour, BreakdownRows, ByDay, FirstReport, ReportReader, Totals},
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
    Tables::read(store, day, day)?.report(rule, day)
}

/// What the tables say of some days, and of those that they are compared with, all as of one instant.
pub struct Tables {
    history: History,
    hours: ByDay<BegunInHour>,
    breakdowns: BreakdownRows,
    quality: BTreeMap<NaiveDate, Quality>,
    sealings: BTreeMap<NaiveDate, (i64, DateTime<Utc>)>,
    first_reports: BTreeMap<NaiveDate, FirstReport>,
}

impl Tables {
    /// What is needed for the reports of the days from `first` to `last`.
    ///
    /// # Errors
    /// A daily table is missing; the message names the run that fills it.
    pub fn read(store: &Store, first: NaiveDate, last: NaiveDate) -> Result<Tables> {
        let reader = ReportReader::new(store, last)?;
        let before = first - Days::new(HISTORY_DAYS);
        let totals = reader.totals(before, last)?;
        let mut hours: ByDay<BegunInHour> = BTreeMap::new();
        for hour in reader.hours(before, last)? {
            hours.entry(hour.day).or_default().push(hour);
        }
        Ok(Tables {
            history: totals.into_iter().map(|totals| (totals.day, totals)).collect(),
            hours,
            breakdowns: reader.breakdowns(first, last)?,
            quality: reader.quality(first, last)?,
            sealings: reader.sealings(first, last)?,
            first_reports: reader.first_reports(first, last)?,
        })
    }

    /// The report of `day`, which is one of those that were read.
    ///
    /// # Errors
    /// A daily table was not filled for the day; the message names the run that fills it.
    pub fn report(&self, rule: &ReportRule, day: NaiveDate) -> Result<DailyReport> {
        let day_rule = &rule.day;
        let span = day_rule.span(day);
        let missing = |table: &str| report::missing(day, table, day);
        let history = &self.history;
        let totals = history.get(&day).ok_or_else(|| missing("daily_totals"))?;
        if totals.rides > 0 && !self.hours.contains_key(&day) {
            return Err(missing("daily_by_hour").into());
        }
        let breakdowns = breakdowns::of_days(&self.breakdowns, &[totals], day)?.remove(0);
        let headlines: Vec<_> = HEADLINES.iter().map(|&key| headline(key, history, day)).collect();
        let sealing = self.sealings.get(&day);
        let mut quality = self
            .quality
            .get(&day)
            .cloned()
            .ok_or_else(|| missing("daily_quality"))?;
        quality.has_many_alerts = quality.alerts > i64::from(rule.alert_banner);
        Ok(DailyReport {
            day,
            starts_at: span.start,
            ends_at: span.end,
            timezone: day_rule.timezone.name().to_owned(),
            hours_in_day: span.hours(),
            seal_count: sealing.map_or(0, |(seal_count, _)| *seal_count),
            restatement: match (sealing, self.first_reports.get(&day)) {
                (Some((seal_count, sealed_at)), Some(first)) if first.seal_count < *seal_count => {
                    Some(restatement(*sealed_at, first, &headlines))
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
            rides_per_hour: rides_per_hour(day_rule, history, &self.hours, day),
            breakdowns,
            quality,
        })
    }

    /// Whether the first report of `day` was kept.
    #[must_use]
    pub fn has_first_report(&self, day: NaiveDate) -> bool {
        self.first_reports.contains_key(&day)
    }
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
fn rides_per_hour(day_rule: &DayRule, history: &History, hours: &ByDay<BegunInHour>, day: NaiveDate) -> Vec<HourCount> {
    let before = history.range(day - Days::new(HISTORY_DAYS)..day);
    let before = before.filter(|(_, totals)| totals.rides > 0);
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
fn hours_of(day_rule: &DayRule, begun: &ByDay<BegunInHour>, day: NaiveDate) -> Vec<HourCount> {
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
    for row in begun.get(&day).into_iter().flatten() {
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
