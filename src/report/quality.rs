//! How good a day's data is, check by check, and what the badge beside the date says.

use serde::Serialize;

use super::chart::whole;
use crate::{
    domain::report::{DailyReport, Quality},
    template::format,
};

/// Nobody watched a ride whose readings were taken in later: no alerts of a day may mean no live readings.
const LIVE_ALERTS: &str = "Heart-rate alerts raised live";

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth a look before quoting the day's figures.
    Warn,
    /// Someone should act.
    Alert,
}

impl Level {
    /// Its word; colour and sign only repeat it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "fine",
            Level::Warn => "check",
            Level::Alert => "act",
        }
    }

    /// Its name for programs and for the style sheet.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Alert => "alert",
        }
    }
}

/// One check of the day's data.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name for people.
    pub name: &'static str,
    /// Its name for programs.
    pub key: &'static str,
    /// How many.
    pub count: i64,
    /// Of how many, as a fraction; none where there is nothing to be a part of.
    pub share: Option<f64>,
    /// What that means.
    pub level: Level,
}

/// The checks of a day.
#[must_use]
pub fn checks(report: &DailyReport) -> Vec<Check> {
    let (quality, rides) = (&report.quality, report.rides());
    let part = |name, key, count: i64, of: i64, warn_above: f64| {
        let share = (of > 0).then(|| whole(count) / whole(of));
        // Fewer than none: lines were counted twice.
        let is_much = share.map_or(count != 0, |share| share.abs() > warn_above);
        Check {
            name,
            key,
            count,
            share,
            level: if is_much { Level::Warn } else { Level::Ok },
        }
    };
    let lines = &quality.lines;
    let alerts = if quality.has_many_alerts {
        Level::Alert
    } else {
        Level::Ok
    };
    vec![
        part(
            "Lines that could not be read",
            "rejected_lines",
            lines.rejected,
            lines.received,
            0.01,
        ),
        part(
            "Lines not accounted for",
            "unaccounted_lines",
            lines.unaccounted(),
            lines.received,
            0.0,
        ),
        part(
            "Seconds without hand contact",
            "dropout_seconds",
            quality.dropout_seconds,
            quality.readings,
            0.2,
        ),
        part(
            "Implausible readings",
            "flagged_readings",
            quality.flagged_readings,
            quality.readings,
            0.01,
        ),
        part(
            "Rides joined midway",
            "partial_rides",
            quality.partial_rides,
            rides,
            0.05,
        ),
        // A bike writes its end marker when its next ride begins: a ride before a pause ends in silence, and all is well.
        part(
            "Rides that ended in silence",
            "idle_rides",
            quality.idle_rides,
            rides,
            1.0,
        ),
        Check {
            name: LIVE_ALERTS,
            key: "alerts",
            count: quality.alerts,
            share: None,
            level: alerts,
        },
    ]
}

/// What became of the lines received for the day, in one sentence.
#[must_use]
pub fn reconciliation(quality: &Quality) -> String {
    let lines = &quality.lines;
    if lines.received == 0 && quality.readings > 0 {
        return "How the lines of this day were accounted for was not kept by the day.".to_owned();
    }
    let kinds = [
        (lines.ride, "Ride"),
        (lines.telemetry, "Telemetry"),
        (lines.rider, "about riders"),
        (lines.marker, "marking a ride’s beginning"),
        (lines.duplicate, "repeated"),
        (lines.tombstoned, "of what was deleted"),
        (lines.rejected, "that could not be read"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(lines, _)| *lines != 0)
        .map(|(lines, kind)| format!("{} {kind}", format::count(whole(*lines))))
        .collect();
    if kinds.is_empty() {
        return "No line came in for this day.".to_owned();
    }
    format!(
        "Lines that came in for this day: {} = {}{}.",
        format::count(whole(lines.received)),
        kinds.join(" + "),
        match lines.unaccounted() {
            0 => String::new(),
            missing @ 1.. => format!(" + {} not accounted for", format::count(whole(missing))),
            twice => format!(" − {} counted twice", format::count(whole(-twice))),
        }
    )
}

/// The worst of the checks on the data; alerts concern riders, not data.
#[must_use]
pub fn data_level(report: &DailyReport) -> Level {
    // Also of a day on which nobody rode bikes say that they are there.
    if report.quality.lines.received == 0 && report.rides() == 0 {
        return Level::Warn;
    }
    checks(report)
        .iter()
        .filter(|check| check.key != "alerts")
        .map(|check| check.level)
        .max()
        .unwrap_or(Level::Ok)
}
