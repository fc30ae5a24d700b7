//! From a message's bytes to an [`Event`]: the grammar of the stream. Nothing here keeps state but a cached date.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use memchr::{memchr, memchr2};

use crate::domain::{
    event::{Event, LogInstant},
    rider::{Gender, Rider},
};

/// Watts beyond which nobody's legs are: four times the strongest sprint on record. One such second would be most of a
/// day's energy.
const MAX_POWER: f64 = 10_000.0;

/// The longest ride the bike's counter is believed for: two days, in seconds.
const MAX_SECOND: f64 = 172_800.0;

/// Microseconds in each digit after a second's point.
const MICROS: [i32; 6] = [100_000, 10_000, 1_000, 100, 10, 1];

/// The longest message that is looked into: a bike's lines are a thousand times shorter.
pub const MAX_MESSAGE: usize = 1 << 20;

const BEGINNING_OF_MAIN: &str = "--------- beginning of main";
const BEGINNING_OF_RIDE: &str = "--------- beginning of a new ride";
const GETTING_USER_DATA: &str = "Getting user data from server..";
const SYSTEM: &str = "[SYSTEM] data = ";
const RIDE: &str = "[INFO]: Ride - ";
const TELEMETRY: &str = "[INFO]: Telemetry - ";

/// Why a message was set aside. The text goes into `daily.rejected_line` and holds nothing of the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The message is longer than [`MAX_MESSAGE`].
    #[error("longer than 1 MiB")]
    TooLong,
    /// The message is not JSON in UTF-8.
    #[error("not a JSON object in UTF-8")]
    NotJson,
    /// The object has no text member `log`.
    #[error("no text member `log`")]
    NoLog,
    /// A tombstone: a key without a value.
    #[error("no value")]
    NoValue,
    /// Neither a marker nor a stamped line.
    #[error("not a line of the bike's log")]
    UnknownLine,
    /// The stamp is no date and time.
    #[error("no valid time stamp")]
    BadStamp,
    /// The stamp is before 1970, or far from when the message can have been written.
    #[error("stamped before 1970, or more than a day away from when it was written")]
    StampOutOfRange,
    /// The line ends within a field that cannot be left out.
    #[error("cut off within `{0}`")]
    CutOff(&'static str),
    /// A field's text is no number, or none that is possible.
    #[error("`{0}` is not a possible number")]
    BadNumber(&'static str),
    /// The `[SYSTEM]` text is no JSON object.
    #[error("`[SYSTEM]` data is not a JSON object")]
    BadUserData,
    /// The `[SYSTEM]` object has no usable `user_id`.
    #[error("`[SYSTEM]` data has no `user_id`")]
    NoUserId,
}

/// A message's envelope: `{"log": "<line>\n"}`, in files optionally with `"key": "<bike serial>"`.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The log line without its line end.
    pub line: Cow<'a, str>,
    /// The bike's serial, where the envelope carries it.
    pub key: Option<Cow<'a, str>>,
}

/// Opens a message's envelope.
///
/// # Errors
/// When it is empty or too long, is not a JSON object in UTF-8, or has no text member `log`.
pub fn open_envelope(message: &[u8]) -> Result<Envelope<'_>, ParseError> {
    match message.len() {
        0 => return Err(ParseError::NoValue),
        length if length > MAX_MESSAGE => return Err(ParseError::TooLong),
        _ => {}
    }
    match scan_envelope(message) {
        Some(envelope) => Ok(envelope),
        None => parse_envelope(message),
    }
}

/// The envelope as bikes write it: the key, if any, then the line, with no escape but the `\n` at its end. Nothing for any
/// other shape.
fn scan_envelope(message: &[u8]) -> Option<Envelope<'_>> {
    let mut rest = message.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    let mut key = None;
    if let Some(value) = text_member(rest, b"\"key\"") {
        let (value, after) = value.split_at(memchr(b'"', value)?);
        key = Some(plain_text(value)?).filter(|key| !key.is_empty());
        rest = after[1..].trim_ascii_start().strip_prefix(b",")?.trim_ascii_start();
    }
    let value = text_member(rest, b"\"log\"")?.strip_suffix(b"}")?.trim_ascii_end();
    let line = value.strip_suffix(b"\\n\"").or_else(|| value.strip_suffix(b"\""))?;
    Some(Envelope {
        line: plain_text(line)?.into(),
        key: key.map(Cow::Borrowed),
    })
}

/// What follows the quotation mark that begins the value of the member `name`.
fn text_member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = object.strip_prefix(name)?.trim_ascii_start().strip_prefix(b":")?;
    value.trim_ascii_start().strip_prefix(b"\"")
}

/// The text of a JSON string that is written without escapes; none if it has one, or what would need one.
fn plain_text(text: &[u8]) -> Option<&str> {
    // The least of all, rather than the first that is too small: the compiler takes many bytes at a time.
    let least = text.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    if least < b' ' || memchr2(b'"', b'\\', text).is_some() {
        return None;
    }
    str::from_utf8(text).ok()
}

/// Any other envelope, by the JSON library.
fn parse_envelope(message: &[u8]) -> Result<Envelope<'_>, ParseError> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(message).map_err(|_| ParseError::NotJson)?;
    let member = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
    let line = member("log").ok_or(ParseError::NoLog)?.trim_end_matches(['\n', '\r']);
    Ok(Envelope {
        line: line.to_owned().into(),
        key: member("key")
            .filter(|key| !key.is_empty())
            .map(|key| key.to_owned().into()),
    })
}

/// Reads lines. Remembers the hour it saw last, since a stamp's date costs more than the rest of the line, and the bike's
/// model, which is seldom another one.
#[derive(Debug, Clone)]
pub struct Parser {
    zone: Tz,
    hour_text: [u8; 13],
    hour: LogInstant,
    /// `mendoza v9: `.
    model: String,
}

impl Parser {
    /// A parser for stamps written in `zone`.
    #[must_use]
    pub fn new(zone: Tz) -> Self {
        Parser {
            zone,
            hour_text: [0; 13],
            hour: 0,
            model: String::new(),
        }
    }

    /// Understands one line.
    ///
    /// # Errors
    /// When the line is not in the grammar, or a field of it is impossible. A value that was cut off at the line's
    /// end is no error but missing.
    pub fn parse<'a>(&mut self, line: &'a str) -> Result<Event<'a>, ParseError> {
        let line = line.trim_ascii_end();
        if line.starts_with('-') {
            return match line {
                BEGINNING_OF_MAIN => Ok(Event::BeginningOfMain),
                BEGINNING_OF_RIDE => Ok(Event::BeginningOfRide),
                _ => Err(ParseError::UnknownLine),
            };
        }
        let (at, rest) = self.stamp(line)?;
        let body = self.skip_model(rest).ok_or(ParseError::UnknownLine)?;
        if let Some(fields) = body.strip_prefix(RIDE) {
            let (second, resistance) = ride_fields(fields)?;
            Ok(Event::Ride { at, second, resistance })
        } else if let Some(fields) = body.strip_prefix(TELEMETRY) {
            let (heart_rate_bpm, cadence_rpm, power_watts) = telemetry_fields(fields)?;
            Ok(Event::Telemetry {
                at,
                heart_rate_bpm,
                cadence_rpm,
                power_watts,
            })
        } else if let Some(json) = body.strip_prefix(SYSTEM) {
            Ok(Event::System { at, json })
        } else if body == GETTING_USER_DATA {
            Ok(Event::GettingUserData { at })
        } else {
            Err(ParseError::UnknownLine)
        }
    }

    /// `2022-07-06 23:29:35.435798 ` and what follows. The fraction is absent where it is zero.
    fn stamp<'a>(&mut self, line: &'a str) -> Result<(LogInstant, &'a str), ParseError> {
        let bytes = line.as_bytes();
        if bytes.len() < 20 || !bytes[0].is_ascii_digit() {
            return Err(ParseError::UnknownLine);
        }
        if bytes[..13] != self.hour_text {
            let hour = self.hour(&bytes[..13]).ok_or(ParseError::BadStamp)?;
            self.hour_text.copy_from_slice(&bytes[..13]);
            self.hour = hour;
        }
        let (minute, second) = match (
            bytes[13],
            two_digits(&bytes[14..16]),
            bytes[16],
            two_digits(&bytes[17..19]),
        ) {
            (b':', Some(minute @ 0..=59), b':', Some(second @ 0..=59)) => (minute, second),
            _ => return Err(ParseError::BadStamp),
        };
        let mut micros = 0;
        let mut end = 19;
        if bytes[19] == b'.' {
            let digits = digits_of(&bytes[20..]);
            end = 20 + digits.len();
            let last = digits.len().checked_sub(1);
            let unit = last.and_then(|last| MICROS.get(last)).ok_or(ParseError::BadStamp)?;
            micros = i64::from(decimal(digits) * unit);
        }
        if bytes.get(end) != Some(&b' ') {
            return Err(ParseError::BadStamp);
        }
        let at = self.hour + (minute * 60 + second) * 1_000_000 + micros;
        Ok((at, line.get(end + 1..).ok_or(ParseError::UnknownLine)?))
    }

    /// What follows `mendoza v9: `.
    fn skip_model<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if !self.model.is_empty()
            && let Some(body) = text.strip_prefix(&self.model)
        {
            return Some(body);
        }
        let (name, rest) = text.split_once(' ')?;
        let (version, body) = rest.strip_prefix('v')?.split_once(": ")?;
        if name.is_empty() || version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.model.clear();
        self.model.push_str(&text[..text.len() - body.len()]);
        Some(body)
    }

    /// The instant of `2022-07-06 23`. An hour that the zone skips or repeats is its first occurrence.
    fn hour(&self, text: &[u8]) -> Option<LogInstant> {
        let year = two_digits(&text[..2])? * 100 + two_digits(&text[2..4])?;
        let (month, day, hour) = (
            two_digits(&text[5..7])?,
            two_digits(&text[8..10])?,
            two_digits(&text[11..13])?,
        );
        if (text[4], text[7], text[10]) != (b'-', b'-', b' ') {
            return None;
        }
        let unsigned = |value: i64| u32::try_from(value).ok();
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, unsigned(month)?, unsigned(day)?)?;
        let local = date.and_hms_opt(unsigned(hour)?, 0, 0)?;
        if self.zone == Tz::UTC {
            return Some(local.and_utc().timestamp_micros());
        }
        let skipped = || {
            self.zone
                .from_local_datetime(&(local + chrono::TimeDelta::hours(1)))
                .earliest()
        };
        self.zone
            .from_local_datetime(&local)
            .earliest()
            .or_else(skipped)
            .map(|instant| instant.timestamp_micros())
    }
}

fn two_digits(text: &[u8]) -> Option<i64> {
    match text {
        [tens @ b'0'..=b'9', units @ b'0'..=b'9'] => Some(i64::from(tens - b'0') * 10 + i64::from(units - b'0')),
        _ => None,
    }
}

/// `duration = 457.0; resistance = 60`. Without the `;` the duration itself may have been cut off.
fn ride_fields(text: &str) -> Result<(i32, Option<i32>), ParseError> {
    if let Some((second, resistance)) = scan_ride(text) {
        return Ok((second, Some(resistance)));
    }
    let value = text.strip_prefix("duration = ").ok_or(ParseError::CutOff("duration"))?;
    let (duration, Some(rest)) = cut_at_semicolon(value) else {
        return Err(ParseError::CutOff("duration"));
    };
    let seconds = number(duration, "duration")?;
    if !(0.0..=MAX_SECOND).contains(&seconds) {
        return Err(ParseError::BadNumber("duration"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be at most two days of seconds"
    )]
    Ok((seconds as i32, whole(field(rest, "resistance")?, "resistance")?))
}

/// The fields as bikes write them, whole; nothing for any other text.
fn scan_ride(text: &str) -> Option<(i32, i32)> {
    let (second, rest) = leading_number(text.strip_prefix("duration = ")?)?;
    let (resistance, rest) = leading_number(rest.strip_prefix(".0; resistance = ")?)?;
    rest.is_empty().then_some((second, resistance))
}

/// Heart rate, cadence and power, each where it was given.
type TelemetryFields = (Option<i32>, Option<i32>, Option<f64>);

/// `hrt = 117; rpm = 40; power = 9.737739856000001`. What the line's end cut off is missing.
fn telemetry_fields(text: &str) -> Result<TelemetryFields, ParseError> {
    if let Some((heart_rate, cadence, power)) = scan_telemetry(text) {
        return Ok((Some(heart_rate), Some(cadence), Some(power)));
    }
    let (heart_rate, rest) = cut_at_semicolon(text);
    let (cadence, rest) = rest.map_or(("", None), cut_at_semicolon);
    let (power, rest) = rest.map_or(("", None), cut_at_semicolon);
    let heart_rate = whole(field(heart_rate, "hrt")?, "hrt")?;
    let cadence = whole(field(cadence, "rpm")?, "rpm")?;
    let power = field(power, "power")?.map(|text| number(text, "power")).transpose()?;
    if power.is_some_and(|watts| !(0.0..=MAX_POWER).contains(&watts)) {
        return Err(ParseError::BadNumber("power"));
    }
    match rest {
        None => Ok((heart_rate, cadence, power)),
        Some(_) => Err(ParseError::UnknownLine),
    }
}

/// The fields as bikes write them, whole; nothing for any other text.
fn scan_telemetry(text: &str) -> Option<(i32, i32, f64)> {
    let (heart_rate, rest) = leading_number(text.strip_prefix("hrt = ")?)?;
    let (cadence, rest) = leading_number(rest.strip_prefix("; rpm = ")?)?;
    let power = rest.strip_prefix("; power = ")?.parse().ok()?;
    (0.0..=MAX_POWER)
        .contains(&power)
        .then_some((heart_rate, cadence, power))
}

/// The number of up to four digits that a text begins with, and what follows it.
fn leading_number(text: &str) -> Option<(i32, &str)> {
    let digits = digits_of(text.as_bytes());
    (1..=4)
        .contains(&digits.len())
        .then(|| (decimal(digits), &text[digits.len()..]))
}

/// The digits that a text begins with.
fn digits_of(text: &[u8]) -> &[u8] {
    let length = text.iter().position(|byte| !byte.is_ascii_digit());
    &text[..length.unwrap_or(text.len())]
}

/// The number that digits write.
fn decimal(digits: &[u8]) -> i32 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + i32::from(digit - b'0'))
}

/// What is before the first `;`, and what is after it.
fn cut_at_semicolon(text: &str) -> (&str, Option<&str>) {
    text.split_once(';')
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

/// The text of field `name` in `name = text`; none where the line ended before the text.
fn field<'a>(part: &'a str, name: &'static str) -> Result<Option<&'a str>, ParseError> {
    let part = part.trim_ascii();
    if part.is_empty() {
        return Ok(None);
    }
    match part.strip_prefix(name) {
        Some(rest) => match rest.trim_ascii_start().strip_prefix('=') {
            Some(text) => Ok(Some(text.trim_ascii()).filter(|text| !text.is_empty())),
            None if rest.trim_ascii().is_empty() => Ok(None),
            None => Err(ParseError::BadNumber(name)),
        },
        None if name.starts_with(part) => Ok(None),
        None => Err(ParseError::BadNumber(name)),
    }
}

fn whole(text: Option<&str>, name: &'static str) -> Result<Option<i32>, ParseError> {
    let Some(text) = text else { return Ok(None) };
    let bytes = text.as_bytes();
    if bytes.len() <= 4 && bytes.iter().all(u8::is_ascii_digit) {
        return Ok(Some(decimal(bytes)));
    }
    let value = number(text, name)?;
    if value.fract() == 0.0 && (0.0..10_000.0).contains(&value) {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 10,000")]
        return Ok(Some(value as i32));
    }
    Err(ParseError::BadNumber(name))
}

/// Any finite float text: `0.0`, `9.737739856000001`, `9.5e-05`.
fn number(text: &str, name: &'static str) -> Result<f64, ParseError> {
    text.trim_ascii()
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or(ParseError::BadNumber(name))
}

/// The rider and the bike that a `[SYSTEM]` object describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    /// The rider.
    pub rider: Rider,
    /// The bike's serial, if given.
    pub bike_serial: Option<String>,
}

/// Reads the JSON of a `[SYSTEM]` line. Every member is optional but `user_id`; one of an unexpected type counts as
/// absent.
///
/// # Errors
/// When it is not a JSON object, or has no whole number `user_id`.
pub fn parse_user_data(json: &str) -> Result<UserData, ParseError> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|_| ParseError::BadUserData)?;
    let text = |name: &str| {
        object
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let whole = |name: &str| object.get(name).and_then(serde_json::Value::as_i64);
    let small = |name: &str| {
        whole(name)
            .and_then(|value| i32::try_from(value).ok())
            .filter(|value| *value > 0)
    };
    let date = |name: &str| {
        whole(name)
            .and_then(DateTime::<Utc>::from_timestamp_millis)
            .map(|at| at.date_naive())
    };
    let rider = Rider {
        rider_id: whole("user_id").ok_or(ParseError::NoUserId)?,
        name: text("name"),
        gender: Gender::parse(text("gender").as_deref()),
        address: text("address"),
        date_of_birth: date("date_of_birth"),
        email_address: text("email_address"),
        height_cm: small("height_cm"),
        weight_kg: small("weight_kg"),
        account_created_on: date("account_create_date"),
        original_source: text("original_source"),
    };
    Ok(UserData {
        rider,
        bike_serial: text("bike_serial"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Event<'_>, ParseError> {
        Parser::new(Tz::UTC).parse(line)
    }

    fn micros(text: &str) -> i64 {
        text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
    }

    #[test]
    fn an_empty_key_is_none_however_the_envelope_is_written() {
        for message in [r#"{"log":"x","key":""}"#, r#"{"log":"x","key":"","other":0}"#] {
            assert_eq!(open_envelope(message.as_bytes()).unwrap().key, None, "{message}");
        }
    }

    #[test]
    fn each_kind_of_line_is_understood() {
        assert_eq!(parse("--------- beginning of main"), Ok(Event::BeginningOfMain));
        assert_eq!(parse("--------- beginning of a new ride"), Ok(Event::BeginningOfRide));
        assert_eq!(
            parse("2022-07-06 23:29:35.435798 mendoza v9: Getting user data from server.."),
            Ok(Event::GettingUserData {
                at: micros("2022-07-06T23:29:35.435798Z")
            })
        );
        assert_eq!(
            parse("2022-10-03 19:18:21.106753 mendoza v9: [INFO]: Ride - duration = 121.0; resistance = 151"),
            Ok(Event::Ride {
                at: micros("2022-10-03T19:18:21.106753Z"),
                second: 121,
                resistance: Some(151)
            })
        );
        assert_eq!(
            parse(
                "2022-10-03 19:18:21.607422 mendoza v9: [INFO]: Telemetry - hrt = 108; rpm = 98; power = 379.9871691"
            ),
            Ok(Event::Telemetry {
                at: micros("2022-10-03T19:18:21.607422Z"),
                heart_rate_bpm: Some(108),
                cadence_rpm: Some(98),
                power_watts: Some(379.987_169_1)
            })
        );
        let system = parse("2022-07-06 23:29:35.935822 mendoza v9: [SYSTEM] data = {\"user_id\":1}");
        assert!(matches!(
            system,
            Ok(Event::System {
                json: "{\"user_id\":1}",
                ..
            })
        ));
    }

    #[test]
    fn a_stamp_may_lack_its_fraction() {
        let line = "2024-01-15 10:00:00 mendoza v9: [INFO]: Ride - duration = 9.0; resistance = 30";
        assert_eq!(
            parse(line),
            Ok(Event::Ride {
                at: micros("2024-01-15T10:00:00Z"),
                second: 9,
                resistance: Some(30)
            })
        );
        assert_eq!(parse("2024-01-15 10:00:00. mendoza v9: x"), Err(ParseError::BadStamp));
        for (fraction, micros) in [("1", 100_000), ("12", 120_000), ("000001", 1), ("999999", 999_999)] {
            let line = format!("2024-01-15 10:00:00.{fraction} mendoza v9: Getting user data from server..");
            let event = parse(&line);
            assert_eq!(event.unwrap().at().unwrap() % 1_000_000, micros, "{fraction}");
        }
        let longer = "2024-01-15 10:00:00.1234567 mendoza v9: Getting user data from server..";
        assert_eq!(parse(longer), Err(ParseError::BadStamp));
        assert_eq!(parse("2024-13-15 10:00:00 mendoza v9: x"), Err(ParseError::BadStamp));
        assert_eq!(parse("2024-01-15 10:61:00 mendoza v9: x"), Err(ParseError::BadStamp));
    }

    #[test]
    fn bikes_of_any_model_may_take_turns() {
        let mut parser = Parser::new(Tz::UTC);
        for (model, is_one) in [
            ("mendoza v9: ", true),
            ("mendoza v10: ", true),
            ("Ride v9: ", true),
            ("mendoza v: ", false),
            ("mendoza vx: ", false),
            (" v9: ", false),
            ("mendoza v9:", false),
            ("mendoza v9: ", true),
        ] {
            let line = format!("2022-07-06 23:29:35 {model}Getting user data from server..");
            assert_eq!(parser.parse(&line).is_ok(), is_one, "{model}");
            assert_eq!(parser.parse(&line).is_ok(), is_one, "{model} again");
        }
    }

    #[test]
    fn a_zone_that_was_set_is_applied() {
        let mut parser = Parser::new(Tz::Europe__London);
        let line = "2022-07-06 23:29:35.5 mendoza v9: Getting user data from server..";
        assert_eq!(
            parser.parse(line),
            Ok(Event::GettingUserData {
                at: micros("2022-07-06T22:29:35.5Z")
            })
        );
    }

    #[test]
    fn values_cut_off_at_the_end_are_missing() {
        let ride = |text: &str| ride_fields(text);
        assert_eq!(ride("duration = 5.0; resistance"), Ok((5, None)));
        assert_eq!(ride("duration = 5.0; resis"), Ok((5, None)));
        assert_eq!(ride("duration = 5.0; resistance = "), Ok((5, None)));
        assert_eq!(ride("duration = 5.0;"), Ok((5, None)));
        assert_eq!(ride("duration = 45"), Err(ParseError::CutOff("duration")));
        assert_eq!(
            telemetry_fields("hrt = 99; rpm = 40; pow"),
            Ok((Some(99), Some(40), None))
        );
        assert_eq!(telemetry_fields("hrt = 99"), Ok((Some(99), None, None)));
        assert_eq!(telemetry_fields(""), Ok((None, None, None)));
    }

    #[test]
    fn numbers_may_have_any_float_syntax_and_nothing_else() {
        assert_eq!(
            telemetry_fields("hrt = 0; rpm = 1.0; power = 9.5e-05"),
            Ok((Some(0), Some(1), Some(9.5e-05)))
        );
        for (text, field) in [
            ("hrt = x; rpm = 1; power = 1", "hrt"),
            ("hrt = -1; rpm = 1; power = 1", "hrt"),
            ("hrt = 1; rpm = 1.5; power = 1", "rpm"),
            ("hrt = 1; rpm = 1; power = nan", "power"),
            ("hrt = 1; rpm = 1; power = -3", "power"),
            ("hrt = 1; rpm = 1; power = 10001", "power"),
            ("hrt = 1; rpm = 1; power = 1e308", "power"),
        ] {
            assert_eq!(telemetry_fields(text), Err(ParseError::BadNumber(field)), "{text}");
        }
        assert_eq!(
            ride_fields("duration = 1e12; resistance = 30"),
            Err(ParseError::BadNumber("duration"))
        );
    }

    proptest::proptest! {
        #[test]
        fn however_a_line_is_spaced_its_values_are_the_same(
            (bpm, rpm, second, resistance) in (0..20_000, 0..20_000, 0..200_000, 0..20_000),
            watts in proptest::num::f64::ANY,
        ) {
            proptest::prop_assert_eq!(
                telemetry_fields(&format!("hrt = {bpm}; rpm = {rpm}; power = {watts}")),
                telemetry_fields(&format!("hrt  = {bpm}; rpm  = {rpm}; power  = {watts}"))
            );
            proptest::prop_assert_eq!(
                ride_fields(&format!("duration = {second}.0; resistance = {resistance}")),
                ride_fields(&format!("duration = {second}; resistance  = {resistance}"))
            );
        }
    }

    #[test]
    fn a_word_inside_a_name_does_not_make_a_line() {
        assert_eq!(parse("Mr [INFO]: Ride - duration = 1.0"), Err(ParseError::UnknownLine));
        assert_eq!(
            parse("2024-01-15 10:00:00 mendoza: [INFO]: Ride - x"),
            Err(ParseError::UnknownLine)
        );
        assert_eq!(parse(""), Err(ParseError::UnknownLine));
        assert_eq!(parse("2024-01-15 10:00:0é"), Err(ParseError::BadStamp));
    }

    #[test]
    fn envelopes_of_every_shape_are_opened() {
        let line = |message: &'static str| open_envelope(message.as_bytes()).map(|e| e.line.into_owned());
        assert_eq!(
            line(r#"{"log": "--------- beginning of main\n"}"#).unwrap(),
            BEGINNING_OF_MAIN
        );
        assert_eq!(line(r#"{"log":"x"}"#).unwrap(), "x");
        assert_eq!(
            line(r#"{"log":"say \"hi\" \u00e9\n","x":[1]}"#).unwrap(),
            "say \"hi\" é"
        );
        // Found by fuzzing: only the line ends with a line end of its own.
        let keyed = open_envelope(br#"{"key": "SN00\n", "log": "x\n"}"#).unwrap();
        assert_eq!((keyed.line.as_ref(), keyed.key.as_deref()), ("x", Some("SN00\n")));
        let keyed = open_envelope(br#" {"key":"SN0007", "log": "x\n"} "#).unwrap();
        assert_eq!((keyed.line.as_ref(), keyed.key.as_deref()), ("x", Some("SN0007")));
        assert_eq!(line("[]"), Err(ParseError::NotJson));
        assert_eq!(line(r#"{"log": 3}"#), Err(ParseError::NoLog));
        assert_eq!(line(r#"{"message": "x"}"#), Err(ParseError::NoLog));
        assert_eq!(open_envelope(b"\xff\xfe"), Err(ParseError::NotJson));
    }

    #[test]
    fn a_rider_is_read_from_json_not_from_the_text() {
        let json = r#"{"user_id":100,"name":"Mr O'Neil, Jr: \"x\" = 1","gender":"male","address":"0 Simpson locks,Wilkinsonshire,E68 8SH","date_of_birth":-842140800000,"height_cm":167,"weight_kg":"83","bike_serial":"SN0000"}"#;
        let data = parse_user_data(json).unwrap();
        assert_eq!(data.rider.name.as_deref(), Some("Mr O'Neil, Jr: \"x\" = 1"));
        assert_eq!(data.rider.date_of_birth, "1943-04-26".parse().ok());
        assert_eq!((data.rider.height_cm, data.rider.weight_kg), (Some(167), None));
        assert_eq!(data.bike_serial.as_deref(), Some("SN0000"));
        assert_eq!(parse_user_data("{}"), Err(ParseError::NoUserId));
        assert_eq!(parse_user_data("{'user_id': 1}"), Err(ParseError::BadUserData));
    }
}
