//! The model of a week's or a month's report: what the daily totals of its days come to, beside those of the window before.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::model::{HEADLINES, breakdowns};
use crate::{
    domain::{
        period_report::{PeriodHeadline, PeriodReport},
        report::{DayCount, HeadlineKey},
        window::Window,
    },
    store::{
        Store,
        report::{ReportReader, Totals},
    },
};

/// The report of `window`, from the daily tables of its days. Days that were never sealed are listed as missing.
///
/// # Errors
/// A daily table cannot be read; the message names the run that fills it.
pub fn build(store: &Store, window: Window) -> Result<PeriodReport> {
    let span = |window: Window| window.span().context("an instant has no report");
    let before = window.before().context("an instant has no report")?;
    let (first_day, last_day) = span(window)?;
    let reader = ReportReader::new(store, last_day)?;
    let read = |window: Window| -> Result<Figures> {
        let (first, last) = span(window)?;
        Ok(Figures {
            totals: reader.totals(first, last)?,
            riders: reader.riders(first, last)?,
        })
    };
    let (own, earlier) = (read(window)?, read(before)?);
    let rides_on = |day: NaiveDate| own.on(day).map(|totals| totals.rides);
    let headline = |&key: &HeadlineKey| PeriodHeadline {
        key,
        value: own.figure(key),
        before: earlier.figure(key),
    };
    let with_rides: Vec<_> = own.totals.iter().filter(|day| day.rides > 0).collect();
    Ok(PeriodReport {
        window,
        first_day,
        last_day,
        headlines: HEADLINES.iter().map(headline).collect(),
        rides_per_day: window
            .days()
            .map(|day| DayCount {
                day,
                rides: rides_on(day),
            })
            .collect(),
        breakdowns: breakdowns::together(&breakdowns::of_days(
            &reader.breakdowns(first_day, last_day)?,
            &with_rides,
            last_day,
        )?),
        missing_days: window.days().filter(|&day| own.on(day).is_none()).collect(),
        missing_days_before: before.days().filter(|&day| earlier.on(day).is_none()).collect(),
    })
}

/// What the tables say of the days of one window.
struct Figures {
    totals: Vec<Totals>,
    /// Distinct over all of the days.
    riders: i64,
}

impl Figures {
    fn on(&self, day: NaiveDate) -> Option<&Totals> {
        self.totals.iter().find(|totals| totals.day == day)
    }

    /// A headline over all days; none where no day has it.
    fn figure(&self, key: HeadlineKey) -> Option<f64> {
        if self.totals.is_empty() {
            return None;
        }
        let days = self.totals.iter();
        match key {
            HeadlineKey::Rides => Some(days.map(|day| day.rides as f64).sum()),
            HeadlineKey::Riders => Some(self.riders as f64),
            HeadlineKey::NewRiders => Some(days.map(|day| day.new_riders as f64).sum()),
            HeadlineKey::DurationSeconds => Some(days.map(|day| day.duration_seconds as f64).sum()),
            HeadlineKey::EnergyKilojoules => Some(days.map(|day| day.energy_kilojoules).sum()),
            HeadlineKey::PowerWattsMean => {
                mean_over_rides(days.map(|day| (day.power_watts_mean, day.rides_with_power)))
            }
            HeadlineKey::HeartRateBpmMean => {
                mean_over_rides(days.map(|day| (day.heart_rate_bpm_mean, day.rides_with_heart_rate)))
            }
            HeadlineKey::LongestRideSeconds => days
                .filter_map(|day| day.longest_ride_seconds)
                .max()
                .map(|seconds| seconds as f64),
            HeadlineKey::PowerWattsMax => days.filter_map(|day| day.power_watts_max).reduce(f64::max),
        }
    }
}

/// The mean over the rides of all days, each counting once, from the days' means.
fn mean_over_rides(days: impl Iterator<Item = (Option<f64>, i64)>) -> Option<f64> {
    let (sum, rides) = days
        .filter_map(|(mean, rides)| Some((mean?, rides)))
        .fold((0.0, 0), |(sum, all), (mean, rides)| {
            (sum + mean * rides as f64, all + rides)
        });
    (rides > 0).then(|| sum / rides as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::open;

    /// Monday and Wednesday of 2026-W02, and Sunday of the week before; rider 1 rides on all of them.
    fn store(folder: &tempfile::TempDir) -> Store {
        let store = open(folder);
        store
            .connection()
            .unwrap()
            .execute_batch(
                "create table historical.daily_totals as select * from (values
                    (date '2026-01-04', 5, 4, 4, 5000, 900, 50.0, 120.0, 100.0, 600.0, 100.0, 120.0, 5, 5),
                    (date '2026-01-05', 10, 8, 3, 10000, 1500, 100.0, 200.0, 140.0, 700.0, 200.0, 140.0, 10, 4),
                    (date '2026-01-07', 30, 20, 1, 20000, 1200, 300.0, 100.0, 150.0, 900.0, 100.0, 150.0, 30, 12)
                 ) as t(business_day, rides, riders, new_riders, duration_seconds, longest_ride_seconds,
                    energy_kilojoules, power_watts_mean, heart_rate_bpm_mean, power_watts_max, power_watts_median,
                    heart_rate_bpm_median, rides_with_power, rides_with_heart_rate);
                 create table historical.leaderboard as select * from (values
                    (date '2026-01-04', 1), (date '2026-01-05', 1), (date '2026-01-05', 2), (date '2026-01-07', 1)
                 ) as t(business_day, rider_id)",
            )
            .unwrap();
        for (table, group) in [
            ("daily_by_gender", "'unknown' as gender"),
            ("daily_by_age_band", "'unknown' as age_band"),
            ("daily_by_age_and_gender", "'unknown' as age_band, 'unknown' as gender"),
            ("daily_by_city", "'York' as city"),
            ("daily_by_channel", "'unknown' as channel"),
            ("daily_by_postcode_area", "'YO' as postcode_area"),
            ("daily_heart_rate_zones", "'z2' as heart_rate_zone"),
            ("daily_power_histogram", "120 as power_watts_from"),
            ("daily_heart_rate_histogram", "140 as heart_rate_bpm_from"),
        ] {
            let sql = format!(
                "create table historical.{table} as
                 select business_day, {group}, rides, riders, duration_seconds, energy_kilojoules
                 from historical.daily_totals"
            );
            store.connection().unwrap().execute_batch(&sql).unwrap();
        }
        store
    }

    #[test]
    fn a_week_adds_up_its_days_and_counts_each_rider_once() {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&store(&folder), "2026-W02".parse().unwrap()).unwrap();
        let figures: Vec<_> = report
            .headlines
            .iter()
            .map(|headline| (headline.key, headline.value.unwrap(), headline.before.unwrap()))
            .collect();
        assert_eq!(
            figures,
            [
                (HeadlineKey::Rides, 40.0, 5.0),
                (HeadlineKey::Riders, 2.0, 1.0),
                (HeadlineKey::NewRiders, 4.0, 4.0),
                (HeadlineKey::DurationSeconds, 30_000.0, 5_000.0),
                (HeadlineKey::EnergyKilojoules, 400.0, 50.0),
                // (200 × 10 + 100 × 30) / 40, not the mean of two days.
                (HeadlineKey::PowerWattsMean, 125.0, 120.0),
                (HeadlineKey::HeartRateBpmMean, 147.5, 100.0),
                (HeadlineKey::LongestRideSeconds, 1_500.0, 900.0),
                (HeadlineKey::PowerWattsMax, 900.0, 600.0),
            ]
        );
    }

    #[test]
    fn days_that_were_never_sealed_are_missing_and_not_days_without_rides() {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&store(&folder), "2026-W02".parse().unwrap()).unwrap();
        let rides: Vec<_> = report.rides_per_day.iter().map(|day| day.rides).collect();
        assert_eq!(rides, [Some(10), None, Some(30), None, None, None, None]);
        assert_eq!((report.missing_days.len(), report.missing_days_before.len()), (5, 6));
        let nothing = build(&store(&tempfile::tempdir().unwrap()), "2025-11".parse().unwrap()).unwrap();
        assert!(nothing.headlines.iter().all(|headline| headline.value.is_none()));
        assert_eq!(nothing.missing_days.len(), 30);
    }
}
