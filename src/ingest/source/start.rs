//! Where a first start begins. Kafka's own search by time needs stamps that neither the embedded broker nor brokers before
//! 0.10 have, so offsets are walked and the log's own clock is read.

use std::{collections::HashMap, ops::Range};

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use memchr::memmem;

use super::RawMessage;

/// The first step back, messages.
const FIRST_STEP: i64 = 2_048;
/// A bike that wrote nothing for so long before the end is not being ridden; see the idle rule of DESIGN.md.
const IDLE_MICROS: i64 = 60_000_000;

/// Hands the messages of a range of offsets to a callback, in order, until it answers false.
pub(super) type Read<'a> = dyn FnMut(Range<i64>, &mut dyn FnMut(&RawMessage<'_>) -> bool) -> anyhow::Result<()> + 'a;

/// As much of a line as the search needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glimpse {
    /// Microseconds since 1970; markers have none.
    at: Option<i64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Marker,
    UserData,
    System,
    Other,
}

/// The offset of the oldest header among the rides under way at the end of `log`; when one of them is not found within
/// `limit` of the log's clock, the first message within it.
pub(super) fn at_headers(log: Range<i64>, limit: TimeDelta, zone: Tz, read: &mut Read<'_>) -> anyhow::Result<i64> {
    let limit_micros = limit.num_microseconds().unwrap_or(i64::MAX);
    let mut step = FIRST_STEP;
    loop {
        let from = log.end.saturating_sub(step).max(log.start);
        let mut walk = Walk::default();
        read(from..log.end, &mut |message| {
            walk.see(message, zone);
            true
        })?;
        let oldest_wanted = walk
            .newest
            .map_or(i64::MIN, |newest| newest.saturating_sub(limit_micros));
        if let Some(offset) = walk.oldest_header(from == log.start) {
            return Ok(offset.unwrap_or(log.end));
        }
        let is_beyond_limit = walk.oldest.is_some_and(|oldest| oldest < oldest_wanted);
        if from == log.start || is_beyond_limit {
            return if is_beyond_limit {
                first_at(from..log.end, oldest_wanted, zone, read)
            } else {
                Ok(from)
            };
        }
        step = step.saturating_mul(2);
    }
}

/// The offset of the first message stamped at or after `micros`, by halving: stamps of one partition rise, but for the
/// difference between its bikes' clocks.
pub(super) fn first_at(log: Range<i64>, micros: i64, zone: Tz, read: &mut Read<'_>) -> anyhow::Result<i64> {
    let (mut before, mut after) = (log.start, log.end);
    while before < after {
        let middle = before + (after - before) / 2;
        let mut found = None;
        read(middle..after, &mut |message| {
            found = glimpse(message.payload, zone).at.map(|at| (message.offset, at));
            found.is_none()
        })?;
        match found {
            Some((offset, at)) if at < micros => before = offset + 1,
            _ => after = middle,
        }
    }
    Ok(before)
}

#[derive(Default)]
struct Walk {
    oldest: Option<i64>,
    newest: Option<i64>,
    /// By key; without keys a partition is one bike.
    bikes: HashMap<Vec<u8>, Bike>,
}

#[derive(Default)]
struct Bike {
    last_at: Option<i64>,
    /// Where the header at hand begins; none outside headers.
    opening: Option<i64>,
    /// Whether a line before the header at hand was seen, so that none of it is missing.
    is_after_line: bool,
    /// The newest header that is known to be whole.
    header: Option<i64>,
}

impl Walk {
    fn see(&mut self, message: &RawMessage<'_>, zone: Tz) {
        let seen = glimpse(message.payload, zone);
        self.oldest = self.oldest.or(seen.at);
        self.newest = self.newest.max(seen.at);
        let key = message.key.unwrap_or_default();
        if !self.bikes.contains_key(key) {
            self.bikes.insert(key.to_vec(), Bike::default());
        }
        let bike = self.bikes.get_mut(key).expect("inserted above");
        bike.last_at = seen.at.or(bike.last_at);
        if seen.kind == Kind::Other {
            (bike.opening, bike.is_after_line) = (None, true);
            return;
        }
        let opening = *bike.opening.get_or_insert(message.offset);
        // A header that opens the range at its `[SYSTEM]` line has lost the line that the ride's start is taken from.
        if seen.kind == Kind::UserData
            || (seen.kind == Kind::System && (bike.is_after_line || opening < message.offset))
        {
            bike.header = Some(opening);
        }
    }

    /// The oldest header of the bikes being ridden; none while one is missing. Inside, none if nobody rides.
    fn oldest_header(&self, is_whole_log: bool) -> Option<Option<i64>> {
        let newest = self.newest.unwrap_or(i64::MIN);
        let riding = self
            .bikes
            .values()
            .filter(|bike| bike.last_at.is_none_or(|at| at > newest - IDLE_MICROS));
        let headers: Vec<_> = riding.map(|bike| bike.header.or(bike.opening)).collect();
        if headers.iter().any(Option::is_none) || (headers.is_empty() && !is_whole_log) {
            return None;
        }
        Some(headers.into_iter().flatten().min())
    }
}

/// Reads what the search needs of a message's value, without taking JSON apart: lines have no escapes before their JSON.
fn glimpse(payload: &[u8], zone: Tz) -> Glimpse {
    let other = Glimpse {
        at: None,
        kind: Kind::Other,
    };
    let Some(line) = memmem::find(payload, b"\"log\"").and_then(|at| {
        let rest = &payload[at + 5..];
        memchr::memchr(b'"', rest).map(|quote| &rest[quote + 1..])
    }) else {
        return other;
    };
    if line.starts_with(b"--------- beginning of ") {
        return Glimpse {
            at: None,
            kind: Kind::Marker,
        };
    }
    let kind = if memmem::find(line, b": Getting user data").is_some() {
        Kind::UserData
    } else if memmem::find(line, b": [SYSTEM] data = ").is_some() {
        Kind::System
    } else {
        Kind::Other
    };
    Glimpse {
        at: stamp(line, zone),
        kind,
    }
}

fn stamp(line: &[u8], zone: Tz) -> Option<i64> {
    let end = line.iter().enumerate().filter(|(_, byte)| **byte == b' ').nth(1)?.0;
    let text = std::str::from_utf8(&line[..end]).ok()?;
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(zone.from_local_datetime(&naive).earliest()?.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log in memory: (key, line), the offset being the place, counted from `first`.
    struct Log {
        first: i64,
        lines: Vec<(&'static str, String)>,
        reads: usize,
    }

    impl Log {
        fn range(&self) -> Range<i64> {
            self.first..self.first + self.lines.len() as i64
        }

        fn add(&mut self, key: &'static str, at_seconds: f64, body: &str) {
            let at =
                chrono::DateTime::from_timestamp_micros(1_770_000_000_000_000 + (at_seconds * 1e6) as i64).unwrap();
            let stamp = at.format("%Y-%m-%d %H:%M:%S%.6f");
            let line = if body.starts_with('-') {
                body.to_owned()
            } else {
                format!("{stamp} mendoza v9: {body}")
            };
            self.lines.push((key, format!("{{\"log\": \"{line}\\n\"}}")));
        }

        /// A header at `at`, and `seconds` of riding.
        fn ride(&mut self, key: &'static str, at: f64, seconds: u32) -> i64 {
            let header = self.range().end;
            self.add(key, at, "--------- beginning of main");
            self.add(key, at + 0.5, "--------- beginning of a new ride");
            self.add(key, at + 1.0, "Getting user data from server..");
            self.add(key, at + 1.5, "[SYSTEM] data = {}");
            for second in 1..=seconds {
                let at = at + 1.0 + f64::from(second);
                self.add(
                    key,
                    at,
                    &format!("[INFO]: Ride - duration = {second}.0; resistance = 30"),
                );
                self.add(key, at + 0.5, "[INFO]: Telemetry - hrt = 0; rpm = 0; power = 0.0");
            }
            header
        }

        fn search(&mut self, limit: TimeDelta) -> i64 {
            let range = self.range();
            let mut reads = 0;
            let found = at_headers(range, limit, Tz::UTC, &mut |range, each| {
                reads += 1;
                for offset in range {
                    let (key, payload) = &self.lines[(offset - self.first) as usize];
                    let key = (!key.is_empty()).then_some(key.as_bytes());
                    let payload = payload.as_bytes();
                    if !each(&RawMessage {
                        partition: 0,
                        offset,
                        timestamp_millis: None,
                        key,
                        payload,
                    }) {
                        break;
                    }
                }
                Ok(())
            });
            self.reads = reads;
            found.unwrap()
        }
    }

    fn log() -> Log {
        Log {
            first: 1_000,
            lines: Vec::new(),
            reads: 0,
        }
    }

    #[test]
    fn the_header_of_the_ride_under_way_is_found() {
        for key in ["", "SN0001"] {
            let mut log = log();
            log.ride(key, 0.0, 500);
            log.ride(key, 600.0, 500);
            let header = log.ride(key, 1200.0, 100);
            assert_eq!(log.search(TimeDelta::hours(2)), header);
        }
    }

    #[test]
    fn of_several_bikes_riding_the_oldest_header_counts_however_far_back() {
        let mut log = log();
        let far = log.ride("SN0002", 0.0, 3);
        for ride in 0..12 {
            log.ride("SN0001", f64::from(ride) * 500.0, 480);
            // A third bike whose ride was over long ago does not count.
            log.add(
                "SN0002",
                f64::from(ride) * 500.0 + 490.0,
                "[INFO]: Ride - duration = 9.0; resistance = 30",
            );
            if ride == 3 {
                log.ride("SN0003", f64::from(ride) * 500.0 + 491.0, 2);
            }
        }
        assert_eq!(log.search(TimeDelta::hours(2)), far);
        assert!(log.reads > 1, "by steps");
        // With a limit, the search ends there; not at the header, but not before the limit either.
        let limited = log.search(TimeDelta::minutes(20));
        let after = &log.lines[(limited - log.first) as usize..];
        let at = after
            .iter()
            .find_map(|line| glimpse(line.1.as_bytes(), Tz::UTC).at)
            .unwrap()
            - 1_770_000_000_000_000;
        assert!((4_790_000_000..4_800_000_000).contains(&at), "{at}");
    }

    #[test]
    fn a_header_cut_by_the_first_step_is_not_taken_for_whole() {
        // The first step begins exactly at the `[SYSTEM]` line.
        let mut log = log();
        log.ride("SN0001", 0.0, 10);
        let header = log.ride("SN0001", 20.0, (FIRST_STEP as u32 - 2) / 2);
        log.add("SN0001", 1_100.0, "[INFO]: Ride - duration = 1999.0; resistance = 30");
        assert_eq!(log.range().end - FIRST_STEP, header + 3);
        assert_eq!(log.search(TimeDelta::hours(2)), header);
    }

    #[test]
    fn nobody_riding_and_an_empty_log_begin_at_the_end() {
        let mut log = log();
        assert_eq!(log.search(TimeDelta::hours(2)), 1_000);
        log.ride("SN0001", 0.0, 5);
        log.add("SN0002", 600.0, "--------- beginning of main");
        log.add("SN0003", 600.0, "Getting user data from server..");
        assert_eq!(log.search(TimeDelta::hours(2)), log.range().end - 2);
    }

    #[test]
    fn a_time_is_found_by_halving() {
        let mut log = log();
        log.ride("SN0001", 0.0, 3_000);
        let mut read = |range: Range<i64>, each: &mut dyn FnMut(&RawMessage<'_>) -> bool| {
            for offset in range {
                let payload = log.lines[(offset - log.first) as usize].1.as_bytes();
                if !each(&RawMessage {
                    partition: 0,
                    offset,
                    timestamp_millis: None,
                    key: None,
                    payload,
                }) {
                    break;
                }
            }
            Ok(())
        };
        let start = 1_770_000_000_000_000;
        let mut find = |micros| first_at(1_000..7_004, micros, Tz::UTC, &mut read).unwrap();
        assert_eq!(find(start + 101_000_000), 1_000 + 4 + 2 * 99);
        assert_eq!(find(start - 1), 1_000);
        assert_eq!(find(start + 9_000_000_000), 7_004);
    }
}
