//! What the report's numbers say in words: names of headlines, changes with the base they are measured from, and the
//! summary. Never why: the numbers do not know.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::format::{self, NOTHING};
use crate::domain::report::{DailyReport, Headline, HeadlineKey, HourCount, Moved, Restatement};

/// Below this many rides a percentage says more about chance than about riders.
const FEW_RIDES: f64 = 30.0;
/// A departure smaller than this share is not worth a sentence.
const WORTH_SAYING: f64 = 0.05;
/// Sentences of a summary, at most.
const SENTENCES: usize = 3;
/// Days with rides, of the 27 before, that make the most of them worth a word.
const DAYS_OF_A_RECORD: usize = 20;
/// From this many seconds on, minutes are left out on a tile.
const TEN_HOURS: f64 = 36_000.0;
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

/// What is usual for a headline; none where there is too little history to say.
#[must_use]
pub fn usual(headline: &Headline) -> Option<Usual> {
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

/// As [`figure`], shortened for a tile: `128k`, `29 h`.
#[must_use]
pub fn figure_short(key: HeadlineKey, value: Option<f64>) -> String {
    match (key, value) {
        (HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders, Some(value)) => format::compact(value),
        (HeadlineKey::DurationSeconds, Some(seconds)) if seconds >= TEN_HOURS => {
            format::with_unit(&format::count(seconds / 3_600.0), "h")
        }
        _ => figure(key, value),
    }
}

/// The change from `base`, naming it: `▲ 12 % on the day before`; absolute where a percentage would mislead; none where
/// one of the two is missing.
#[must_use]
pub fn change(headline: &Headline, base: Base, day: NaiveDate) -> Option<String> {
    Some(changed(
        headline.key,
        headline.value?,
        base.of(headline)?,
        &base.words(day),
    ))
}

/// The change of a figure from what it was, naming `base`, what it was measured from.
#[must_use]
pub fn changed(key: HeadlineKey, value: f64, from: f64, base: &str) -> String {
    let difference = value - from;
    let arrow = if difference < 0.0 { '▼' } else { '▲' };
    let is_count = matches!(key, HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders);
    let in_percent = key != HeadlineKey::HeartRateBpmMean && from > 0.0 && !(is_count && from < FEW_RIDES);
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
            figure(key, Some(difference))
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
    if size == 0.0 {
        format!("as {base}")
    } else {
        format!("{arrow}{}{words} on {base}", format::THIN)
    }
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
        let is_first = rides.last_28_days.iter().flatten().count() <= 1;
        let why = if is_first {
            "no earlier days to compare with"
        } else {
            "too few earlier days to say what is usual"
        };
        let mut sentences = vec![format!("{recorded}; there are {why}.")];
        if count >= FEW_RIDES {
            sentences.extend(asides(report));
        }
        return sentences;
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
    sentences.extend(asides(report));
    sentences.truncate(SENTENCES);
    sentences
}

/// What is worth a sentence on a day when little else is.
fn asides(report: &DailyReport) -> impl Iterator<Item = String> {
    busiest_hour(report).into_iter().chain(new_riders(report))
}

/// When most rides began, and how many more or fewer that is than at that hour of other days.
fn busiest_hour(report: &DailyReport) -> Option<String> {
    let zone: Tz = report.timezone.parse().unwrap_or(Tz::UTC);
    let busiest = report.rides_per_hour.iter().max_by_key(|hour| hour.rides)?;
    let hours_alike = |alike: fn(&HourCount, &HourCount) -> bool| {
        let hours = report.rides_per_hour.iter();
        hours.filter(|hour| alike(hour, busiest)).count()
    };
    // Where two are alike, neither stands out.
    if hours_alike(|hour, busiest| hour.rides == busiest.rides) > 1 {
        return None;
    }
    // When clocks are put back, two hours have one name.
    let of_zone = match hours_alike(|hour, busiest| hour.hour == busiest.hour) > 1 {
        true => busiest.starts_at.with_timezone(&zone).format(" %Z").to_string(),
        false => String::new(),
    };
    let rides = f64::from(i32::try_from(busiest.rides).unwrap_or(i32::MAX));
    if rides < 2.0 {
        return None;
    }
    let than_usual = busiest.usual.filter(|usual| *usual > 0.0).and_then(|usual| {
        let change = rides / usual - 1.0;
        let side = if change > 0.0 { "above" } else { "below" };
        let size = format::with_unit(&format::count(change.abs() * 100.0), "%");
        // A handful more is chance.
        let is_worth_saying = change.abs() >= 2.0 * WORTH_SAYING && (rides - usual).abs() >= FEW_RIDES;
        is_worth_saying.then(|| format!(", {size} {side} what is usual then"))
    });
    Some(format!(
        "Most rides began in the hour from {}{of_zone}: {}{}.",
        format::clock(busiest.starts_at, zone),
        format::count(rides),
        than_usual.unwrap_or_default()
    ))
}

fn new_riders(report: &DailyReport) -> Option<String> {
    let new = report.headline(HeadlineKey::NewRiders)?.value?;
    let of_all = report.headline(HeadlineKey::Riders)?.value?;
    // On the first days everybody is new.
    if new < 1.0 || new >= of_all {
        return None;
    }
    let riders = if new < 1.5 {
        "One rider".to_owned()
    } else {
        format!("{} riders", format::count(new))
    };
    Some(format!("{riders} rode for the first time."))
}

/// That rides were the most, or the fewest, of four weeks.
fn record(rides: &Headline) -> &'static str {
    let before = rides.last_28_days.len().saturating_sub(1);
    let known: Vec<f64> = rides.last_28_days[..before].iter().flatten().copied().collect();
    let Some(value) = rides.value.filter(|_| known.len() >= DAYS_OF_A_RECORD) else {
        return "";
    };
    if known.iter().all(|other| *other < value) {
        ", the most in four weeks"
    } else if known.iter().all(|other| *other > value) {
        ", the fewest in four weeks"
    } else {
        ""
    }
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
        "{} {verb} {level}: {}, {} {side} the usual {}{}.",
        label(headline.key),
        figure(headline.key, Some(value)),
        format::with_unit(&format::count(change.abs() * 100.0), "%"),
        figure(headline.key, Some(usual.mean)),
        if headline.key == HeadlineKey::Rides {
            record(headline)
        } else {
            ""
        },
    );
    Some((change.abs(), sentence))
}

/// Of a day that was restated: when, why, and what moved.
#[must_use]
pub fn restated(report: &DailyReport) -> Option<String> {
    let Some(Restatement { restated_at, moved }) = &report.restatement else {
        let words = "These figures were made anew after the first report.";
        return (report.seal_count > 1).then(|| words.to_owned());
    };
    let zone: Tz = report.timezone.parse().unwrap_or(Tz::UTC);
    let on = format::date_medium(restated_at.with_timezone(&zone).date_naive());
    let rides = moved.iter().find(|moved| moved.key == HeadlineKey::Rides);
    let more = rides.map_or(0.0, |moved| moved.after.unwrap_or(0.0) - moved.before.unwrap_or(0.0));
    let count = |rides: f64, what: &str| {
        let noun = if rides < 1.5 { "ride" } else { "rides" };
        format!("{} {what} {noun}", format::count(rides))
    };
    let because = if more > 0.0 {
        format!("{} arrived after the first report", count(more, "more"))
    } else if more < 0.0 {
        format!("it has {} than the first report had", count(-more, "fewer"))
    } else {
        "data of its rides changed after the first report".to_owned()
    };
    let moves: Vec<String> = moved.iter().filter_map(moved_words).collect();
    let moves = if moves.is_empty() {
        "No headline moved".to_owned()
    } else {
        moves.join(", ")
    };
    Some(format!("This day was restated on {on}, because {because}. {moves}."))
}

/// None where it moved by less than is shown.
fn moved_words(moved: &Moved) -> Option<String> {
    let (before, after) = (figure(moved.key, moved.before), figure(moved.key, moved.after));
    (before != after).then(|| format!("{} {before} → {after}", label(moved.key)))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{
        domain::report::{HourCount, MIN_HISTORY_DAYS, Quality},
        template::format::THIN,
    };

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 3, 4).unwrap()
    }

    /// A headline of `value` after `known` days around `mean`, give or take ten per cent.
    fn headline(key: HeadlineKey, value: f64, mean: f64, known: usize) -> Headline {
        let mut last_28_days = vec![None; 27 - known];
        last_28_days.extend(vec![Some(mean); known]);
        last_28_days.push(Some(value));
        let (has_history, has_usual) = (known > 0, known >= MIN_HISTORY_DAYS);
        Headline {
            key,
            value: Some(value),
            day_before: has_history.then_some(mean),
            week_before: (known > 6).then_some(mean),
            seven_day_mean: has_usual.then_some(mean),
            mean_28_days: has_usual.then_some(mean),
            stddev_28_days: has_usual.then_some(mean / 10.0),
            last_28_days,
        }
    }

    fn sentences(headlines: Vec<Headline>) -> String {
        summary(&report(headlines)).join(" ").replace(THIN, "_")
    }

    fn report(headlines: Vec<Headline>) -> DailyReport {
        let at: DateTime<Utc> = "2025-03-04T00:00:00Z".parse().unwrap();
        DailyReport {
            day: day(),
            starts_at: at,
            ends_at: at,
            timezone: "Europe/London".to_owned(),
            hours_in_day: 24,
            seal_count: 1,
            restatement: None,
            headlines,
            rides_per_day: Vec::new(),
            rides_per_hour: Vec::new(),
            breakdowns: crate::domain::report::Breakdowns::default(),
            quality: Quality::default(),
        }
    }

    #[test]
    fn a_departure_is_said_with_its_size_and_what_is_usual() {
        let text = sentences(vec![headline(HeadlineKey::Rides, 3_412.0, 3_046.0 * 0.9, 27)]);
        assert_eq!(
            text,
            "Rides were high: 3,412, 24_% above the usual 2,741, the most in four weeks."
        );
        let text = sentences(vec![headline(HeadlineKey::Rides, 2_000.0, 3_000.0, 27)]);
        assert_eq!(
            text,
            "Rides were low: 2,000, 33_% below the usual 3,000, the fewest in four weeks."
        );
        let text = sentences(vec![headline(HeadlineKey::Rides, 2_000.0, 3_000.0, 13)]);
        assert_eq!(
            text, "Rides were low: 2,000, 33_% below the usual 3,000.",
            "two weeks are no record"
        );
    }

    #[test]
    fn a_day_as_usual_says_when_most_rode_and_how_many_were_new() {
        let mut report = report(vec![
            headline(HeadlineKey::Rides, 3_300.0, 3_000.0, 27),
            headline(HeadlineKey::Riders, 2_900.0, 2_800.0, 27),
            headline(HeadlineKey::NewRiders, 37.0, 30.0, 27),
        ]);
        let hour = |hour: u32, rides: i64, usual: f64| HourCount {
            starts_at: report.starts_at + chrono::TimeDelta::hours(hour.into()),
            hour,
            rides,
            usual: Some(usual),
        };
        let hours = vec![hour(7, 350, 340.0), hour(18, 412, 300.0), hour(19, 411, 300.0)];
        report.rides_per_hour = hours;
        assert_eq!(
            summary(&report).join(" ").replace(THIN, "_"),
            "Rides were as usual: 3,300. Most rides began in the hour from 18:00: 412, 37_% above what is usual then. \
             37 riders rode for the first time."
        );
        report.rides_per_hour[1].usual = Some(400.0);
        assert_eq!(summary(&report)[1], "Most rides began in the hour from 18:00: 412.");
        report.headlines[2].value = Some(2_900.0);
        assert_eq!(summary(&report).len(), 2, "all are new on a first day");
        // On the day when clocks are put back there are two such hours.
        report.rides_per_hour[2].hour = 18;
        assert_eq!(summary(&report)[1], "Most rides began in the hour from 18:00 GMT: 412.");
        report.rides_per_hour[2].rides = 412;
        assert!(
            !summary(&report).join(" ").contains("Most rides"),
            "two stand out as little as none"
        );
    }

    #[test]
    fn a_day_within_the_band_is_as_usual() {
        let text = sentences(vec![headline(HeadlineKey::Rides, 3_300.0, 3_000.0, 27)]);
        assert_eq!(text, "Rides were as usual: 3,300.");
    }

    #[test]
    fn the_largest_departure_comes_first_and_there_are_three_at_most() {
        let text = sentences(vec![
            headline(HeadlineKey::Rides, 3_600.0, 3_000.0, 27),
            headline(HeadlineKey::Riders, 3_000.0, 2_000.0, 27),
            headline(HeadlineKey::PowerWattsMean, 120.0, 180.0, 27),
            headline(HeadlineKey::HeartRateBpmMean, 160.0, 140.0, 27),
        ]);
        assert_eq!(
            text,
            "Mean power was low: 120_W, 33_% below the usual 180_W. Rides were high: 3,600, 20_% above the usual 3,000, the most in \
             four weeks. \
             Mean heart rate was high: 160_bpm, 14_% above the usual 140_bpm."
        );
    }

    #[test]
    fn little_history_few_rides_and_no_rides_are_not_judged() {
        let rides = |value, mean, known| sentences(vec![headline(HeadlineKey::Rides, value, mean, known)]);
        assert_eq!(
            rides(3_412.0, 1_000.0, 6),
            "3,412 rides were recorded; there are too few earlier days to say what is usual."
        );
        assert_eq!(
            rides(1.0, 0.0, 0),
            "One ride was recorded; there are no earlier days to compare with."
        );
        assert_eq!(rides(12.0, 9.0, 27), "12 rides were recorded; the usual is 9.");
        assert_eq!(
            rides(0.0, 3_000.0, 27),
            "No rides were recorded on Tuesday 4 March 2025."
        );
    }

    #[test]
    fn changes_name_their_base_and_small_bases_are_absolute() {
        let said = |key, value, mean, base| {
            change(&headline(key, value, mean, 27), base, day())
                .unwrap_or_default()
                .replace(THIN, "_")
        };
        assert_eq!(
            said(HeadlineKey::Rides, 112.0, 100.0, Base::DayBefore),
            "▲_12_% on the day before"
        );
        assert_eq!(
            said(HeadlineKey::Rides, 90.0, 100.0, Base::WeekBefore),
            "▼_10_% on Tuesday last week"
        );
        assert_eq!(
            said(HeadlineKey::Rides, 14.0, 10.0, Base::DayBefore),
            "▲_4 on the day before"
        );
        assert_eq!(
            said(HeadlineKey::Rides, 14.0, 9.5, Base::SevenDayMean),
            "▲_4.5 on the 7-day mean"
        );
        assert_eq!(
            said(HeadlineKey::HeartRateBpmMean, 142.0, 140.0, Base::SevenDayMean),
            "▲_2_bpm on the 7-day mean"
        );
        assert_eq!(
            said(HeadlineKey::Rides, 100.2, 100.0, Base::DayBefore),
            "as the day before"
        );
        assert_eq!(
            said(HeadlineKey::DurationSeconds, 60.0, 0.0, Base::DayBefore),
            "▲_1_min on the day before"
        );
        let first = headline(HeadlineKey::Rides, 5.0, 0.0, 0);
        assert_eq!(change(&first, Base::DayBefore, day()), None);
    }
}
