//! Times as Peloton writes them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::Unsaid;
use crate::domain::workout::{Precision, Start};

/// Zones behind the letters of exports. Of each pair either is written whatever the season: they say where, not whether it
/// was summer.
const LETTERS: [(&str, Tz); 21] = [
    ("PST", Tz::America__Los_Angeles),
    ("PDT", Tz::America__Los_Angeles),
    ("MST", Tz::America__Denver),
    ("MDT", Tz::America__Denver),
    ("CST", Tz::America__Chicago),
    ("CDT", Tz::America__Chicago),
    ("EST", Tz::America__New_York),
    ("EDT", Tz::America__New_York),
    ("AKST", Tz::America__Anchorage),
    ("AKDT", Tz::America__Anchorage),
    ("HST", Tz::Pacific__Honolulu),
    ("GMT", Tz::Europe__London),
    ("BST", Tz::Europe__London),
    ("WET", Tz::Europe__Lisbon),
    ("WEST", Tz::Europe__Lisbon),
    ("CET", Tz::Europe__Berlin),
    ("CEST", Tz::Europe__Berlin),
    ("EET", Tz::Europe__Athens),
    ("EEST", Tz::Europe__Athens),
    ("AEST", Tz::Australia__Sydney),
    ("AEDT", Tz::Australia__Sydney),
];

/// Years with room for any zone on either side: beyond the calendar's ends the conversion would panic. What can be a
/// workout's is looked at later.
fn is_in_calendar(time: &impl Datelike) -> bool {
    (1..=9999).contains(&time.year())
}

/// A time without a zone, in the first of `formats` that it has.
pub(super) fn wall_clock(text: &str, formats: &[&str]) -> Option<NaiveDateTime> {
    formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .filter(is_in_calendar)
}

/// Seconds since 1970.
pub(super) fn unix(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).filter(is_in_calendar)
}

/// A time of an export: `2024-03-01 18:05 (EST)`, `(-07)`, `(UTC)`, or without any zone.
pub(super) fn of_export(text: &str, unsaid: &Unsaid<'_>) -> Result<Start, String> {
    let (clock, zone) = match text.split_once('(') {
        Some((clock, zone)) => (clock.trim(), zone.trim_end().trim_end_matches(')').trim()),
        None => (text.trim(), ""),
    };
    let local = wall_clock(clock, &["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"])
        .ok_or_else(|| format!("`{text}` is no time like `2024-03-01 18:05 (EST)`"))?;
    if let Some(offset) = numeric(zone) {
        let at = (local - TimeDelta::seconds(offset.local_minus_utc().into())).and_utc();
        return Ok(Start {
            at,
            local,
            precision: Precision::Minute,
        });
    }
    let of_letters = || {
        LETTERS
            .iter()
            .find(|(letters, _)| *letters == zone)
            .map(|(_, zone)| *zone)
    };
    let known = unsaid
        .timezone
        .or_else(of_letters)
        .or(zone.is_empty().then_some(unsaid.fallback));
    let known = known.ok_or_else(|| {
        format!("the zone `{zone}` of `{text}` is not known; name the rider's with --timezone, e.g. America/New_York")
    })?;
    Ok(Start {
        at: instant(known, local),
        local,
        precision: Precision::WallClock,
    })
}

/// `-07`, `+0530`, `+05:30`, or a name of UTC.
fn numeric(zone: &str) -> Option<FixedOffset> {
    if matches!(zone, "UTC" | "Z") {
        return FixedOffset::east_opt(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    let minutes: i32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let hours: i32 = hours.parse().ok()?;
    if !(0..60).contains(&minutes) {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

/// The instant at which a clock in `zone` shows `local`: the first, where it does twice; an hour on, where it never does.
fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let found = zone.from_local_datetime(&local).earliest();
    let found = found.or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

/// A time that is known to the second, on a clock in `zone`.
pub(super) fn to_the_second(at: DateTime<Utc>, zone: Tz) -> Start {
    Start {
        at,
        local: at.with_timezone(&zone).naive_local(),
        precision: Precision::Second,
    }
}

/// The zone that the API names: a place, or `Etc/GMT+5`, which is five hours *behind* UTC.
pub(super) fn zone_of_api(name: Option<&str>, unsaid: &Unsaid<'_>) -> Tz {
    let named = name.and_then(|name| name.parse().ok());
    named.or(unsaid.timezone).unwrap_or(unsaid.fallback)
}
