//! What can have been, and what a broken file or a broken sensor says.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::{Figure, Workout, graph::Metric};

/// Nobody rode at Peloton before.
const FIRST_YEAR: i32 = 2012;

/// Clocks may be so far ahead of ours.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// No workout, and no class, takes longer.
pub const MOST_SECONDS: i32 = 86_400;

impl Figure {
    /// What can be of it.
    fn bounds(self) -> RangeInclusive<f64> {
        match self {
            Figure::TotalOutput => 0.0..=20_000.0,
            Figure::Power | Figure::Ftp => 0.0..=2_500.0,
            Figure::Resistance => 0.0..=100.0,
            Figure::Cadence => 0.0..=300.0,
            Figure::Speed => 0.0..=40.0,
            Figure::Distance => 0.0..=1_000_000.0,
            Figure::Energy => 0.0..=30_000.0,
            Figure::HeartRate => 0.0..=250.0,
            Figure::Incline => -20.0..=50.0,
            Figure::Pace => 0.0..=36_000.0,
            Figure::Effort => 0.0..=10_000.0,
            Figure::GraphCoverage => 0.0..=1.0,
        }
    }

    /// Whether it can be so much.
    #[must_use]
    pub fn is_plausible(self, value: f64) -> bool {
        self.bounds().contains(&value)
    }
}

impl Metric {
    /// What can be of it: as of the figure that is its mean.
    #[must_use]
    pub fn bounds(self) -> RangeInclusive<f64> {
        match self {
            Metric::Power => Figure::Power.bounds(),
            Metric::Cadence => Figure::Cadence.bounds(),
            Metric::Resistance => Figure::Resistance.bounds(),
            Metric::Speed => Figure::Speed.bounds(),
            Metric::HeartRate => Figure::HeartRate.bounds(),
            Metric::Incline => Figure::Incline.bounds(),
            Metric::StrokeRate => 0.0..=100.0,
        }
    }
}

/// The workout, if there can have been such a one at `now`.
///
/// # Errors
/// What cannot have been, in words.
pub fn plausible(workout: Workout, now: DateTime<Utc>) -> Result<Workout, String> {
    let at = workout.start.at;
    if at.year() < FIRST_YEAR || at > now + AHEAD {
        let day = at.date_naive();
        return Err(format!(
            "it cannot have begun on {day}: before {FIRST_YEAR}, or in the future"
        ));
    }
    for (name, seconds) in [
        ("class_seconds", workout.class_seconds),
        ("ridden_seconds", workout.ridden_seconds),
    ] {
        if let Some(seconds) = seconds.filter(|seconds| !(0..=MOST_SECONDS).contains(seconds)) {
            return Err(format!(
                "its `{name}` would be {seconds}, and is between 0 and {MOST_SECONDS}"
            ));
        }
    }
    let end = at + TimeDelta::seconds(workout.ridden_seconds.unwrap_or(0).into());
    if end > now + AHEAD {
        let day = end.date_naive();
        return Err(format!("it cannot have ended on {day}: that is in the future"));
    }
    for figure in Figure::ALL {
        let Some(value) = workout.figures.get(figure) else {
            continue;
        };
        if !figure.is_plausible(value) {
            let (name, bounds) = (figure.name(), figure.bounds());
            return Err(format!(
                "its `{name}` would be {value}, and is between {} and {}",
                bounds.start(),
                bounds.end()
            ));
        }
    }
    Ok(workout)
}
