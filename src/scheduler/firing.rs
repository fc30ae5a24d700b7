//! Which instants a cron expression means in a zone where clocks change.
//!
//! A time that the clocks skip fires once, right after the gap; a time that occurs twice fires the first time. An
//! expression that fires in every hour goes by elapsed time instead: it neither pauses nor bunches up when the
//! clocks change. The expression itself only ever sees a wall clock that never changes: croner's own answers in the
//! doubled hour can lie in the past, and its backward search steps over a gap to the wrong side.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::config::schedule::CronText;

/// The first firing after `instant`.
#[must_use]
pub fn next_after(cron: &CronText, zone: Tz, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if cron.is_every_hour() {
        let (mut from, mut inclusive) = (instant, false);
        loop {
            let offset = offset_at(zone, from);
            let candidate = (cron.next(from.naive_utc() + offset, inclusive)? - offset).and_utc();
            match changes(zone, from, candidate).first() {
                Some(change) => (from, inclusive) = (change.at, true),
                None => return Some(candidate),
            }
        }
    }
    let mut local = cron.next(instant.naive_utc() + offset_at(zone, instant), false)?;
    while instant_of(zone, local) <= instant {
        local = cron.next(local, false)?;
    }
    Some(instant_of(zone, local))
}

/// The first firing at or after `instant`, a whole second.
#[must_use]
pub fn next_from(cron: &CronText, zone: Tz, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    next_after(cron, zone, instant - TimeDelta::seconds(1))
}

/// The last firing at or before `instant`.
#[must_use]
pub fn latest_at(cron: &CronText, zone: Tz, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if cron.is_every_hour() {
        let mut until = instant;
        loop {
            let offset = offset_at(zone, until);
            let candidate = (cron.previous(until.naive_utc() + offset)? - offset).and_utc();
            match changes(zone, candidate, until).last() {
                Some(change) => until = change.at - TimeDelta::seconds(1),
                None => return Some(candidate),
            }
        }
    }
    let mut local = instant.naive_utc() + offset_at(zone, instant);
    if let Some((first, second)) = twice(zone, local)
        && instant >= second
    {
        // The whole doubled stretch has fired in its first pass: look back from beyond its end.
        local += second - first;
    }
    let mut local = cron.previous(local)?;
    while instant_of(zone, local) > instant {
        local = cron.previous(local - TimeDelta::seconds(1))?;
    }
    Some(instant_of(zone, local))
}

/// The instant at which a wall clock in `zone` shows `local`: right after the gap if it never does, the first time if
/// it does twice.
#[must_use]
pub fn instant_of(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return instant.with_timezone(&Utc);
    }
    let before = local.and_utc() - TimeDelta::hours(36);
    let as_if_unchanged = (local - offset_at(zone, before)).and_utc();
    changes(zone, before, as_if_unchanged)
        .last()
        .map_or(as_if_unchanged, |change| change.at)
}

/// One change of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first instant with the new offset.
    pub at: DateTime<Utc>,
    /// What a clock would have shown then.
    pub from: NaiveDateTime,
    /// What it shows.
    pub to: NaiveDateTime,
}

/// The changes of the clocks in `zone` after `start` and up to `end`.
#[must_use]
pub fn changes(zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Change> {
    let mut found = Vec::new();
    let mut low = start;
    while low < end {
        // No zone changes twice in half a day.
        let high = (low + TimeDelta::hours(12)).min(end);
        let (old, new) = (offset_at(zone, low), offset_at(zone, high));
        if old != new {
            let (mut before, mut after) = (low.timestamp(), high.timestamp());
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                let instant = DateTime::from_timestamp(middle, 0).expect("between two instants lies an instant");
                if offset_at(zone, instant) == old {
                    before = middle
                } else {
                    after = middle
                }
            }
            let at = DateTime::from_timestamp(after, 0).expect("between two instants lies an instant");
            found.push(Change {
                at,
                from: at.naive_utc() + old,
                to: at.naive_utc() + new,
            });
        }
        low = high;
    }
    found
}

/// Both instants at which a wall clock shows `local`, if there are two.
fn twice(zone: Tz, local: NaiveDateTime) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Ambiguous(first, second) => Some((first.with_timezone(&Utc), second.with_timezone(&Utc))),
        _ => None,
    }
}

fn offset_at(zone: Tz, instant: DateTime<Utc>) -> TimeDelta {
    TimeDelta::seconds(
        zone.offset_from_utc_datetime(&instant.naive_utc())
            .fix()
            .local_minus_utc()
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &str) -> CronText {
        CronText::parse(text).unwrap()
    }

    fn firings(text: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let cron = cron(text);
        let mut at: DateTime<Utc> = after.parse().unwrap();
        (0..count)
            .map(|_| {
                at = next_after(&cron, zone, at).unwrap();
                assert_eq!(
                    latest_at(&cron, zone, at),
                    Some(at),
                    "looking back from a firing finds it"
                );
                at.format("%d %H:%M").to_string()
            })
            .collect()
    }

    #[test]
    fn a_skipped_time_fires_once_right_after_the_gap() {
        // 01:00 -> 02:00 on 29 March 2026 in London, at 01:00 UTC.
        assert_eq!(
            firings("30 1 * * *", Tz::Europe__London, "2026-03-27T12:00:00Z", 3),
            ["28 01:30", "29 01:00", "30 00:30"]
        );
        // 02:00 -> 03:00 on 8 March 2026 in New York, at 07:00 UTC. All that falls into the gap fires together.
        assert_eq!(
            firings("0,15,45 2 * * *", Tz::America__New_York, "2026-03-08T05:00:00Z", 3),
            ["08 07:00", "09 06:00", "09 06:15"]
        );
    }

    #[test]
    fn a_doubled_time_fires_the_first_time_only() {
        // 02:00 -> 01:00 on 25 October 2026 in London, at 01:00 UTC.
        assert_eq!(
            firings("30 1 * * *", Tz::Europe__London, "2026-10-24T12:00:00Z", 2),
            ["25 00:30", "26 01:30"]
        );
        assert_eq!(
            firings("*/30 1 * * *", Tz::Europe__London, "2026-10-24T12:00:00Z", 3),
            ["25 00:00", "25 00:30", "26 01:00"]
        );
        // From within the second pass, too, where croner itself would answer with the first.
        assert_eq!(
            firings("30 1 * * *", Tz::America__New_York, "2026-11-01T06:10:00Z", 1),
            ["02 06:30"]
        );
        let second_pass = "2026-10-25T01:10:00Z".parse().unwrap();
        assert_eq!(
            latest_at(&cron("30 1 * * *"), Tz::Europe__London, second_pass),
            Some("2026-10-25T00:30:00Z".parse().unwrap())
        );
    }

    #[test]
    fn what_fires_every_hour_goes_by_elapsed_time() {
        assert_eq!(
            firings("*/30 * * * *", Tz::Europe__London, "2026-10-24T23:45:00Z", 6),
            ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30"]
        );
        assert_eq!(
            firings("*/30 * * * *", Tz::Europe__London, "2026-03-29T00:15:00Z", 3),
            ["29 00:30", "29 01:00", "29 01:30"]
        );
        // Half-hour change: Lord Howe goes 02:00 -> 01:30 on 5 April 2026, at 15:00 UTC the day before.
        assert_eq!(
            firings("0 * * * *", Tz::Australia__Lord_Howe, "2026-04-04T13:30:00Z", 3),
            ["04 14:00", "04 15:30", "04 16:30"]
        );
    }

    #[test]
    fn looking_back_from_after_a_gap_finds_what_fell_into_it() {
        let looked_back = latest_at(
            &cron("30 1 * * *"),
            Tz::Europe__London,
            "2026-03-29T05:00:00Z".parse().unwrap(),
        );
        assert_eq!(looked_back, Some("2026-03-29T01:00:00Z".parse().unwrap()));
    }

    #[test]
    fn fractions_of_a_second_do_not_leak_into_firings() {
        let at = "2026-01-01T00:00:03.500Z".parse().unwrap();
        let every_five = cron("*/5 * * * * *");
        assert_eq!(
            next_after(&every_five, Tz::UTC, at),
            Some("2026-01-01T00:00:05Z".parse().unwrap())
        );
        assert_eq!(
            latest_at(&every_five, Tz::UTC, at),
            Some("2026-01-01T00:00:00Z".parse().unwrap())
        );
    }
}
