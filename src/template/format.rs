//! Numbers, spans and dates as people read them. Every output rounds here and only here, so that the page, the PDF, the
//! mail and the charts can never disagree. Units stand behind a narrow no-break space; minus is a true minus.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

/// Between a number and its unit: U+202F, narrow and unbreakable.
pub const THIN: char = '\u{202f}';

/// Shown where there is nothing to measure, which is not zero.
pub const NOTHING: &str = "–";

/// A whole number with thousands separated: `3,412`, `−1,024`.
#[must_use]
pub fn count(value: f64) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 3);
    if value < 0.0 && digits != "0" {
        text.push('−');
    }
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A whole number for a tile: from 100,000 on `128k`, from ten million on `12.8M`.
#[must_use]
pub fn compact(value: f64) -> String {
    match value.abs() {
        large if large >= 999_500.0 => format!("{}M", decimal(value / 1e6, if large >= 99_950_000.0 { 0 } else { 1 })),
        large if large >= 100_000.0 => format!("{}k", count(value / 1e3)),
        _ => count(value),
    }
}

/// A number with `places` decimals and thousands separated: `1,234.5`.
#[must_use]
pub fn decimal(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let is_zero = !text.contains(|digit: char| digit.is_ascii_digit() && digit != '0');
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    let whole = count(whole.parse().unwrap_or(0.0));
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A number and its unit: `187 W`.
#[must_use]
pub fn with_unit(number: &str, unit: &str) -> String {
    if number == NOTHING {
        number.to_owned()
    } else {
        format!("{number}{THIN}{unit}")
    }
}

/// Seconds as a span: `45 s`, `24 min`, `1 h 24 min`, `3,412 h`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NOTHING.to_owned();
    }
    let sign = if seconds <= -0.5 { "−" } else { "" };
    let seconds = seconds.abs();
    let minutes = (seconds / 60.0).round();
    if seconds < 59.5 {
        format!("{sign}{}{THIN}s", count(seconds))
    } else if minutes < 60.0 {
        format!("{sign}{}{THIN}min", count(minutes))
    } else if minutes < 6_000.0 {
        let (hours, rest) = ((minutes / 60.0).floor(), minutes % 60.0);
        if rest == 0.0 {
            format!("{sign}{}{THIN}h", count(hours))
        } else {
            format!("{sign}{}{THIN}h{THIN}{}{THIN}min", count(hours), count(rest))
        }
    } else {
        format!("{sign}{}{THIN}h", count(minutes / 60.0))
    }
}

/// Kilojoules: `412 kJ`; from 100,000 on in megajoules.
#[must_use]
pub fn energy(kilojoules: f64) -> String {
    if kilojoules.abs() >= 99_999.5 {
        with_unit(&count(kilojoules / 1e3), "MJ")
    } else {
        with_unit(&count(kilojoules), "kJ")
    }
}

/// A fraction as a percentage: `42 %`; below ten with one decimal, `4.2 %`.
#[must_use]
pub fn share(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let places = usize::from(percent.abs() < 9.95 && percent != 0.0);
    with_unit(&decimal(percent, places), "%")
}

/// `part` of `whole` as a percentage; nothing when there is no whole.
#[must_use]
pub fn share_of(part: f64, whole: f64) -> String {
    if whole > 0.0 {
        share(part / whole)
    } else {
        NOTHING.to_owned()
    }
}

/// `Tuesday 4 March 2025`.
#[must_use]
pub fn date_long(day: NaiveDate) -> String {
    day.format("%A %-d %B %Y").to_string()
}

/// `Tue 4 Mar`.
#[must_use]
pub fn date_medium(day: NaiveDate) -> String {
    day.format("%a %-d %b").to_string()
}

/// `4 Mar`.
#[must_use]
pub fn date_short(day: NaiveDate) -> String {
    day.format("%-d %b").to_string()
}

/// `Tuesday`.
#[must_use]
pub fn weekday(day: NaiveDate) -> String {
    day.format("%A").to_string()
}

/// `March 2025`.
#[must_use]
pub fn month(day: NaiveDate) -> String {
    day.format("%B %Y").to_string()
}

/// The local time of an instant on a 24-hour clock: `18:00`.
#[must_use]
pub fn clock(instant: DateTime<Utc>, zone: Tz) -> String {
    instant.with_timezone(&zone).format("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Narrow spaces are invisible in source: tests write `_`.
    fn shown(text: &str) -> String {
        text.replace(THIN, "_")
    }

    #[test]
    fn thousands_are_separated_and_minus_is_true() {
        assert_eq!(count(3412.4), "3,412");
        assert_eq!(count(0.0), "0");
        assert_eq!(count(-0.3), "0");
        assert_eq!(count(999.5), "1,000");
        assert_eq!(count(-1_234_567.0), "−1,234,567");
        assert_eq!(count(f64::NAN), NOTHING);
        assert_eq!(decimal(1234.56, 1), "1,234.6");
        assert_eq!(decimal(-0.04, 1), "0.0");
    }

    #[test]
    fn tiles_shorten_from_a_hundred_thousand() {
        assert_eq!(compact(99_999.0), "99,999");
        assert_eq!(compact(128_400.0), "128k");
        assert_eq!(compact(999_900.0), "1.0M");
        assert_eq!(compact(12_840_000.0), "12.8M");
        assert_eq!(compact(128_400_000.0), "128M");
    }

    #[test]
    fn spans_use_the_largest_units_that_matter() {
        assert_eq!(shown(&duration(0.0)), "0_s");
        assert_eq!(shown(&duration(59.4)), "59_s");
        assert_eq!(shown(&duration(59.6)), "1_min");
        assert_eq!(shown(&duration(3599.0)), "1_h");
        assert_eq!(shown(&duration(5040.0)), "1_h_24_min");
        assert_eq!(shown(&duration(359_999.0)), "100_h");
        assert_eq!(shown(&duration(12_283_200.0)), "3,412_h");
        assert_eq!(duration(f64::NAN), NOTHING);
    }

    #[test]
    fn shares_have_a_decimal_only_below_ten() {
        assert_eq!(shown(&share(0.424)), "42_%");
        assert_eq!(shown(&share(0.0424)), "4.2_%");
        assert_eq!(shown(&share(0.0996)), "10_%");
        assert_eq!(shown(&share(0.0)), "0_%");
        assert_eq!(share_of(1.0, 0.0), NOTHING);
    }

    #[test]
    fn dates_read_as_in_a_letter() {
        let day = NaiveDate::from_ymd_opt(2025, 3, 4).unwrap();
        assert_eq!(date_long(day), "Tuesday 4 March 2025");
        assert_eq!(date_medium(day), "Tue 4 Mar");
        assert_eq!(date_short(day), "4 Mar");
        assert_eq!(month(day), "March 2025");
        assert_eq!(
            clock("2025-07-04T17:00:00Z".parse().unwrap(), Tz::Europe__London),
            "18:00"
        );
    }

    #[test]
    fn energy_changes_unit_where_digits_stop_helping() {
        assert_eq!(shown(&energy(412.3)), "412_kJ");
        assert_eq!(shown(&energy(99_999.0)), "99,999_kJ");
        assert_eq!(shown(&energy(1_284_000.0)), "1,284_MJ");
    }
}
