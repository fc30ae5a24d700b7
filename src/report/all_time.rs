//! The page of all days together: totals, months, records.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::html::Links;
use crate::{
    domain::report::{DailyReport, HeadlineKey},
    template::{Templates, format, words},
};

/// What adds up over days; who rode does not, as people ride on more than one.
const TOTALS: [HeadlineKey; 4] = [
    HeadlineKey::Rides,
    HeadlineKey::NewRiders,
    HeadlineKey::DurationSeconds,
    HeadlineKey::EnergyKilojoules,
];

/// What there is a best day of, as the page calls it.
const RECORDS: [(HeadlineKey, &str); 7] = [
    (HeadlineKey::Rides, "Most rides in a day"),
    (HeadlineKey::Riders, "Most riders in a day"),
    (HeadlineKey::NewRiders, "Most new riders in a day"),
    (HeadlineKey::DurationSeconds, "Most time ridden in a day"),
    (HeadlineKey::EnergyKilojoules, "Most energy in a day"),
    (HeadlineKey::LongestRideSeconds, "Longest ride"),
    (HeadlineKey::PowerWattsMax, "Highest power"),
];

/// What the days come to.
#[derive(Debug, Default)]
pub struct AllTime {
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    days: usize,
    totals: [f64; TOTALS.len()],
    /// By their first day.
    months: BTreeMap<NaiveDate, Month>,
    records: [Option<(f64, NaiveDate)>; RECORDS.len()],
}

#[derive(Debug, Default)]
struct Month {
    days: usize,
    totals: [f64; TOTALS.len()],
}

#[derive(Debug, Serialize)]
struct Page {
    links: Links,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    days: usize,
    totals: Vec<Total>,
    months: Vec<Row>,
    records: Vec<Record>,
}

#[derive(Debug, Serialize)]
struct Total {
    label: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Row {
    first: NaiveDate,
    days: usize,
    rides: String,
    /// Rides a day as a share of the best month's, in per cent.
    bar: f64,
    rides_per_day: String,
    new_riders: String,
    duration: String,
    energy: String,
}

#[derive(Debug, Serialize)]
struct Record {
    name: &'static str,
    value: String,
    day: NaiveDate,
}

impl AllTime {
    /// Adds a day; they come oldest first. Of two equal records the older one stays.
    pub fn add(&mut self, report: &DailyReport) {
        let day = report.day;
        self.first = self.first.or(Some(day));
        self.last = Some(day);
        self.days += 1;
        let value = |key| report.headline(key).and_then(|headline| headline.value);
        let month = self.months.entry(day.with_day(1).unwrap_or(day)).or_default();
        month.days += 1;
        for (place, key) in TOTALS.into_iter().enumerate() {
            let value = value(key).unwrap_or(0.0);
            self.totals[place] += value;
            month.totals[place] += value;
        }
        for (record, (key, _)) in self.records.iter_mut().zip(RECORDS) {
            let better = value(key).filter(|value| *value > 0.0 && record.is_none_or(|(best, _)| *value > best));
            if let Some(value) = better {
                *record = Some((value, day));
            }
        }
    }

    /// The page `all-time/index.html`.
    ///
    /// # Errors
    /// When the template does not fit.
    pub(super) fn page(&self, templates: &Templates) -> Result<String> {
        let a_day = |month: &Month| month.totals[0] / count(month.days).max(1.0);
        let best = self.months.values().map(a_day).fold(f64::MIN_POSITIVE, f64::max);
        let row = |(&first, month): (&NaiveDate, &Month)| {
            let [rides, new_riders, seconds, kilojoules] = month.totals;
            Row {
                first,
                days: month.days,
                rides: format::count(rides),
                bar: (a_day(month) / best * 1000.0).round() / 10.0,
                rides_per_day: format::count(a_day(month).round()),
                new_riders: format::count(new_riders),
                duration: format::duration(seconds),
                energy: format::energy(kilojoules),
            }
        };
        let totals = TOTALS.into_iter().zip(self.totals).map(|(key, value)| Total {
            label: words::label(key),
            value: words::figure_short(key, Some(value)),
        });
        let records = self.records.iter().zip(RECORDS).filter_map(|(record, (key, name))| {
            let (value, day) = (*record)?;
            let value = words::figure(key, Some(value));
            Some(Record { name, value, day })
        });
        let page = Page {
            links: Links::from("../"),
            first: self.first,
            last: self.last,
            days: self.days,
            totals: totals.collect(),
            months: self.months.iter().rev().map(row).collect(),
            records: records.collect(),
        };
        let html = templates.render("report/all_time.html", &page);
        html.context("failed to render the page of all days")
    }
}

#[expect(clippy::cast_precision_loss, reason = "days stay far below 2^53")]
fn count(days: usize) -> f64 {
    days as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn days_add_up_by_month_and_each_record_names_its_day() {
        let mut all = AllTime::default();
        let mut quiet = sample::on(NaiveDate::from_ymd_opt(2025, 2, 27).unwrap());
        quiet.headlines[0].value = Some(100.0);
        all.add(&quiet);
        all.add(&sample::on(NaiveDate::from_ymd_opt(2025, 3, 4).unwrap()));
        all.add(&sample::on(NaiveDate::from_ymd_opt(2025, 3, 5).unwrap()));
        assert_eq!(all.totals[0], 100.0 + 2.0 * 3_412.0);
        let html = all.page(&Templates::load(None).unwrap()).unwrap();
        assert!(html.contains("3 days"), "{html}");
        let rows: Vec<_> = html
            .match_indices("<tr><th scope=\"row\">")
            .map(|(at, _)| &html[at + 20..at + 25])
            .collect();
        assert_eq!(rows, ["March", "Febru"]);
        // Equal on both days of March: the first of them holds it.
        assert!(html.contains("../daily/2025-03-04/index.html"));
        assert!(!html.contains("../daily/2025-03-05/index.html"));
    }

    #[test]
    fn nothing_has_no_records() {
        let html = AllTime::default().page(&Templates::load(None).unwrap()).unwrap();
        assert!(html.contains("No report yet") && !html.contains("Records"), "{html}");
    }
}
