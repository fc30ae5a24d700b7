//! What every command writes the same way.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{domain::window::Window, scheduler::firing::instant_of};

/// `1 ride`, `2,000 rides`; `thing` is in the singular.
pub(super) fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Thousands apart: `1,234,567`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a run counted, by its name in the ledger: `files_written` of 1 is `1 file written`.
pub(super) fn named_count(name: &str, count: u64) -> String {
    let (thing, rest) = name.split_once('_').unwrap_or((name, ""));
    let thing = match thing.strip_suffix('s') {
        Some(one) if count == 1 => one,
        _ => thing,
    };
    format!("{} {thing} {}", grouped(count), rest.replace('_', " "))
        .trim_end()
        .to_owned()
}

/// The command that runs `job` for `window`.
pub(super) fn run_command(job: &str, window: Window) -> String {
    match window {
        Window::Instant(_) => format!("deloton run {job}"),
        window => format!("deloton run {job} --day {window}"),
    }
}

/// What became of a stream's messages, in the words that every command has for it.
pub(super) fn lines(readings: u64, duplicate_readings: u64, duplicate_lines: u64, rejected_lines: u64) -> String {
    [
        counted(readings, "reading"),
        counted(duplicate_readings, "duplicate reading"),
        counted(duplicate_lines, "duplicate line"),
        counted(rejected_lines, "rejected line"),
    ]
    .join(", ")
}

/// At most `most` characters of `text`, with a mark where there are more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A date of the command line.
pub(super) fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "expected a date like 2026-11-21".to_owned())
}

/// A point in time as people give one: an instant, or what the clocks of the company's day show then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointInTime {
    /// With its offset from UTC.
    Instant(DateTime<Utc>),
    /// Of a wall clock.
    Local(NaiveDateTime),
}

impl PointInTime {
    /// The instant, where clocks are those of `zone`.
    pub(super) fn instant(self, zone: Tz) -> DateTime<Utc> {
        match self {
            PointInTime::Instant(at) => at,
            PointInTime::Local(local) => instant_of(zone, local),
        }
    }
}

impl FromStr for PointInTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = text.parse() {
            return Ok(PointInTime::Instant(at));
        }
        let clock = [
            "%Y-%m-%d %H:%M",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%dT%H:%M:%S",
        ];
        let clock = clock
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        let date = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
        clock.or_else(date).map(PointInTime::Local).ok_or_else(|| {
            "expected a date like 2026-11-23, a time like \"2026-11-23 08:00\" on the clocks of the company's day, or an \
             instant like 2026-11-23T08:00:00Z"
                .to_owned()
        })
    }
}

/// Bytes from outside, fit for a terminal: what would steer it, and what is no text, is spelt out.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_singular() {
        assert_eq!(counted(1, "day"), "1 day");
        assert_eq!(counted(0, "duplicate line"), "0 duplicate lines");
        assert_eq!(counted(1_234_567, "ride"), "1,234,567 rides");
        assert_eq!(named_count("rows", 1), "1 row");
        assert_eq!(named_count("files_written", 1), "1 file written");
        assert_eq!(named_count("files_written", 2_000), "2,000 files written");
        assert_eq!(named_count("changed", 1), "1 changed");
    }

    #[test]
    fn a_point_in_time_is_a_date_a_time_of_the_companys_clocks_or_an_instant() {
        let at = |text: &str| {
            let point: PointInTime = text.parse().unwrap();
            point.instant(Tz::Europe__London).to_rfc3339()
        };
        assert_eq!(at("2026-07-10"), "2026-07-09T23:00:00+00:00");
        assert_eq!(at("2026-07-10 08:00"), "2026-07-10T07:00:00+00:00");
        assert_eq!(at("2026-07-10T08:00:30"), "2026-07-10T07:00:30+00:00");
        assert_eq!(at("2026-07-10T08:00:00Z"), "2026-07-10T08:00:00+00:00");
        assert_eq!(at("2026-07-10T08:00:00+02:00"), "2026-07-10T06:00:00+00:00");
        for wrong in ["yesterday", "", "2026-11-31", "2026-07-10 8"] {
            let why = wrong.parse::<PointInTime>().unwrap_err();
            assert!(why.starts_with("expected a date like 2026-11-23, a time like"), "{why}");
        }
        assert_eq!(date("yesterday").unwrap_err(), "expected a date like 2026-11-21");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(shortened("Zoë", 3), "Zoë");
        assert_eq!(shortened("Zoë!", 3), "Zoë…");
    }

    #[test]
    fn what_would_steer_a_terminal_is_spelt_out() {
        assert_eq!(
            printable("Zoë \u{1b}[31m\u{9b}\r".as_bytes()),
            "Zoë \\u{1b}[31m\\u{9b}\\r"
        );
        assert_eq!(printable(b"a\xff\0b"), "a\\xff\\u{0}b");
    }
}
