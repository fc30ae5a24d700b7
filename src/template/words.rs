//! What the report's numbers say in words: names of headlines, changes with the base they are measured from, and the
//! summary. Never why: the numbers do not know.

use chrono::NaiveDate;

use super::format::{self, NOTHING};
use crate::domain::report::{DailyReport, Headline, HeadlineKey};

/// Earlier days with rides that a "usual" needs: a whole week, so that every weekday is in it.
const USUAL_MIN_DAYS: usize = 7;
/// Below this many rides a percentage says more about chance than about riders.
const FEW_RIDES: f64 = 30.0;
/// A departure smaller than this share is not worth a sentence.
const WORTH_SAYING: f64 = 0.05;
/// Standard deviations that hold the middle 80 % of a normal distribution.
const BAND_DEVIATIONS: f64 = 1.28;

/// What a change is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The day before.
    DayBefore,
    /// The same weekday a week before.
    WeekBefore,
    /// The mean of the seven days before.
    SevenDayMean,
    /// The mean of the 28 days before.
    Usual,
}

impl Base {
    /// The base called `name` in templates.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Base> {
        match name {
            "day_before" => Some(Base::DayBefore),
            "week_before" => Some(Base::WeekBefore),
            "seven_day_mean" => Some(Base::SevenDayMean),
            "usual" => Some(Base::Usual),
            _ => None,
        }
    }

    /// The headline's figure that this base stands for.
    #[must_use]
    pub fn of(self, headline: &Headline) -> Option<f64> {
        match self {
            Base::DayBefore => headline.day_before,
            Base::WeekBefore => headline.week_before,
            Base::SevenDayMean => headline.seven_day_mean,
            Base::Usual => usual(headline).map(|usual| usual.mean),
        }
    }

    /// How it is called in a sentence about `day`: `the day before`, `Tuesday last week`.
    #[must_use]
    pub fn words(self, day: NaiveDate) -> String {
        match self {
            Base::DayBefore => "the day before".to_owned(),
            Base::WeekBefore => format!("{} last week", format::weekday(day)),
            Base::SevenDayMean => "the 7-day mean".to_owned(),
            Base::Usual => "usual".to_owned(),
        }
    }
}

/// What is usual: mean and band of the 28 days before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Mean over those days that have rides.
    pub mean: f64,
    /// Lower edge of the band that holds about four days of five; never below zero.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
}

/// What is usual for a headline; none before a week of history.
#[must_use]
pub fn usual(headline: &Headline) -> Option<Usual> {
    let (_, earlier) = headline.last_28_days.split_last()?;
    if earlier.iter().flatten().count() < USUAL_MIN_DAYS {
        return None;
    }
    let (mean, deviation) = (headline.mean_28_days?, headline.stddev_28_days?);
    let half = BAND_DEVIATIONS * deviation;
    Some(Usual {
        mean,
        low: (mean - half).max(0.0),
        high: mean + half,
    })
}

/// A headline's name: `Rides`, `Mean power`.
#[must_use]
pub fn label(key: HeadlineKey) -> &'static str {
    match key {
        HeadlineKey::Rides => "Rides",
        HeadlineKey::Riders => "Riders",
        HeadlineKey::NewRiders => "New riders",
        HeadlineKey::DurationSeconds => "Time ridden",
        HeadlineKey::EnergyKilojoules => "Energy",
        HeadlineKey::PowerWattsMean => "Mean power",
        HeadlineKey::HeartRateBpmMean => "Mean heart rate",
        HeadlineKey::LongestRideSeconds => "Longest ride",
        HeadlineKey::PowerWattsMax => "Highest power",
    }
}

/// A figure of a headline with its unit: `3,412`, `187 W`, `1 h 24 min`.
#[must_use]
pub fn figure(key: HeadlineKey, value: Option<f64>) -> String {
    let Some(value) = value else { return NOTHING.to_owned() };
    match key {
        HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders => format::count(value),
        HeadlineKey::DurationSeconds | HeadlineKey::LongestRideSeconds => format::duration(value),
        HeadlineKey::EnergyKilojoules => format::energy(value),
        HeadlineKey::PowerWattsMean | HeadlineKey::PowerWattsMax => format::with_unit(&format::count(value), "W"),
        HeadlineKey::HeartRateBpmMean => format::with_unit(&format::count(value), "bpm"),
    }
}

/// As [`figure`], shortened for a tile: `128k`.
#[must_use]
pub fn figure_short(key: HeadlineKey, value: Option<f64>) -> String {
    match (key, value) {
        (HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders, Some(value)) => format::compact(value),
        _ => figure(key, value),
    }
}

/// The change from `base`, naming it: `▲ 12 % on the day before`; absolute where a percentage would mislead; none where
/// one of the two is missing.
#[must_use]
pub fn change(headline: &Headline, base: Base, day: NaiveDate) -> Option<String> {
    let (value, from) = (headline.value?, base.of(headline)?);
    let difference = value - from;
    let arrow = if difference < 0.0 { '▼' } else { '▲' };
    let is_count = matches!(
        headline.key,
        HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders
    );
    let in_percent = headline.key != HeadlineKey::HeartRateBpmMean && from > 0.0 && !(is_count && from < FEW_RIDES);
    let (size, words) = if in_percent {
        let percent = (difference / from * 100.0).abs().round();
        (percent, format::with_unit(&format::count(percent), "%"))
    } else {
        let difference = difference.abs();
        // Means of small counts are seldom whole.
        let is_fraction = is_count && from.fract() != 0.0 && difference < 9.95;
        let words = if is_fraction {
            format::decimal(difference, 1)
        } else {
            figure(headline.key, Some(difference))
        };
        (
            if is_fraction {
                (difference * 10.0).round()
            } else {
                difference.round()
            },
            words,
        )
    };
    let base = base.words(day);
    Some(if size == 0.0 {
        format!("as {base}")
    } else {
        format!("{arrow}{}{words} on {base}", format::THIN)
    })
}

/// The day in at most three sentences, the largest departure first.
#[must_use]
pub fn summary(report: &DailyReport) -> Vec<String> {
    let Some(rides) = report.headline(HeadlineKey::Rides) else {
        return Vec::new();
    };
    let count = rides.value.unwrap_or(0.0);
    if count == 0.0 {
        return vec![format!("No rides were recorded on {}.", format::date_long(report.day))];
    }
    let recorded = if count == 1.0 {
        "One ride was recorded".to_owned()
    } else {
        format!("{} rides were recorded", format::count(count))
    };
    let Some(usual_rides) = usual(rides) else {
        return vec![format!("{recorded}."), "Too little history to compare.".to_owned()];
    };
    if count < FEW_RIDES {
        return vec![format!("{recorded}; the usual is {}.", format::count(usual_rides.mean))];
    }

    let mut departures: Vec<(f64, String)> = Vec::new();
    let rides_depart = departure(rides);
    // Riders and time follow from rides: they are worth a sentence only when rides are as usual.
    let mut keys = vec![HeadlineKey::PowerWattsMean, HeadlineKey::HeartRateBpmMean];
    if rides_depart.is_none() {
        keys.extend([HeadlineKey::Riders, HeadlineKey::DurationSeconds]);
    }
    departures.extend(rides_depart);
    departures.extend(keys.into_iter().filter_map(|key| departure(report.headline(key)?)));
    departures.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut sentences: Vec<String> = departures.into_iter().map(|(_, sentence)| sentence).collect();
    if departure(rides).is_none() {
        sentences.insert(0, format!("Rides were as usual: {}.", format::count(count)));
    }
    sentences.truncate(3);
    sentences
}

/// How far a headline is from usual and the sentence that says so; none when it is within the band or nearly so.
fn departure(headline: &Headline) -> Option<(f64, String)> {
    let (value, usual) = (headline.value?, usual(headline)?);
    if (usual.low..=usual.high).contains(&value) || usual.mean <= 0.0 {
        return None;
    }
    let change = value / usual.mean - 1.0;
    if change.abs() < WORTH_SAYING {
        return None;
    }
    let (level, side) = if change > 0.0 {
        ("high", "above")
    } else {
        ("low", "below")
    };
    let verb = if matches!(headline.key, HeadlineKey::Rides | HeadlineKey::Riders) {
        "were"
    } else {
        "was"
    };
    let sentence = format!(
        "{} {verb} {level}: {}, {} {side} the usual {}.",
        label(headline.key),
        figure(headline.key, Some(value)),
        format::with_unit(&format::count(change.abs() * 100.0), "%"),
        figure(headline.key, Some(usual.mean)),
    );
    Some((change.abs(), sentence))
}
