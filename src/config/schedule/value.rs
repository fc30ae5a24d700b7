//! One value of the file: what it has to look like, and what is said when it does not.

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::{TZ_VARIANTS, Tz};
use toml::de::DeValue;

use super::nearest;

/// `; did you mean …?`, or nothing.
pub(super) fn suggestion<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(text, known)
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

pub(super) fn string<'d>(value: &'d DeValue<'_>) -> Result<&'d str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("expected text in quotes, not a {}", value.type_str()))
}

/// A number, a text or a list of them, as one writes it on the command line.
pub(super) fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| plain(item.get_ref())).collect();
            items.join(", ")
        }
        other => format!("a {}", other.type_str()),
    }
}

pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("expected true or false, not a {}", value.type_str()))
}

pub(super) fn integer(value: &DeValue<'_>, least: u32, most: u32) -> Result<u32, String> {
    let number = value
        .as_integer()
        .filter(|number| number.radix() == 10)
        .and_then(|number| number.as_str().parse().ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

pub(super) fn choice<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let text = string(value)?;
    if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*chosen);
    }
    let names = choices.iter().map(|(name, _)| *name);
    let hint = suggestion(text, names.clone());
    let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(if hint.is_empty() {
        format!("`{text}` is none of {known}")
    } else {
        format!("there is no `{text}`{hint}")
    })
}

/// A name that is safe in file names, addresses and the ledger.
pub(super) fn identifier(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a name: use up to 64 of a–z, 0–9, `_` and `-`"))
    }
}

/// The name of an environment variable.
pub(super) fn variable(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        // It may be the address itself, which must not get into a log.
        Err("expected the name of an environment variable that holds the address, e.g. `\"PING_URL_REPORT\"`; the address \
             itself is a secret and does not belong here"
            .to_owned())
    }
}

pub(super) fn zone(value: &DeValue<'_>) -> Result<Tz, String> {
    let text = string(value)?;
    text.parse().map_err(|_| {
        let hint = suggestion(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
        format!(
            "there is no time zone `{text}`{}",
            if hint.is_empty() {
                "; expected one like `Europe/London`"
            } else {
                &hint
            }
        )
    })
}

pub(super) fn time_of_day(value: &DeValue<'_>) -> Result<NaiveTime, String> {
    let text = match value {
        DeValue::Datetime(time) => time.to_string(),
        other => string(other)?.to_owned(),
    };
    NaiveTime::parse_from_str(&text, "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(&text, "%H:%M:%S"))
        .map_err(|_| format!("`{text}` is not a time of day, e.g. `\"16:45\"`"))
}

pub(super) fn positive_duration(value: &DeValue<'_>) -> Result<TimeDelta, String> {
    let span = duration(value)?;
    if span > TimeDelta::zero() {
        Ok(span)
    } else {
        Err("must be more than nothing".to_owned())
    }
}

/// `30s`, `15m`, `2h`, `7d`, or several together: `1h30m`.
pub(super) fn duration(value: &DeValue<'_>) -> Result<TimeDelta, String> {
    parse_duration(string(value)?)
}

/// The same, of a text.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("`{text}` is not a length of time; write `30s`, `15m`, `2h`, `7d` or `1h30m`");
    let mut seconds = 0_i64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].chars().next().ok_or_else(wrong)?;
        let per_unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let add = number.checked_mul(per_unit).ok_or_else(wrong)?;
        seconds = seconds.checked_add(add).ok_or_else(wrong)?;
        rest = rest[digits + unit.len_utf8()..].trim_start();
    }
    // A hundred years: anything longer is a slip of the finger.
    if seconds > 36_525 * 24 * 60 * 60 {
        Err(wrong())
    } else {
        Ok(TimeDelta::seconds(seconds))
    }
}
