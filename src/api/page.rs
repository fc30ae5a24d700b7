//! What lists have in common: pages and their cursors, orders, and the forms in which days, ages and towns are given.

use chrono::{Days, Months, NaiveDate};
use poem_openapi::Enum;

use super::problem::Refusal;
use crate::{
    domain::rider,
    store::query::{Ages, CityOrder, RideOrder, RiderOrder},
};

/// What rides can be sorted by.
pub(super) const RIDE_ORDERS: [(&str, RideOrder); 8] = [
    ("started_at", RideOrder::StartedAt),
    ("duration_seconds", RideOrder::Duration),
    ("energy_kilojoules", RideOrder::Energy),
    ("power_watts_mean", RideOrder::PowerMean),
    ("power_watts_max", RideOrder::PowerMax),
    ("heart_rate_bpm_mean", RideOrder::HeartRateMean),
    ("heart_rate_bpm_max", RideOrder::HeartRateMax),
    ("cadence_rpm_mean", RideOrder::CadenceMean),
];

/// What riders can be sorted by.
pub(super) const RIDER_ORDERS: [(&str, RiderOrder); 5] = [
    ("rider_id", RiderOrder::RiderId),
    ("rides", RiderOrder::Rides),
    ("duration_seconds", RiderOrder::Duration),
    ("energy_kilojoules", RiderOrder::Energy),
    ("last_ride_at", RiderOrder::LastRideAt),
];

/// What towns can be sorted by.
pub(super) const CITY_ORDERS: [(&str, CityOrder); 2] = [("rides", CityOrder::Rides), ("riders", CityOrder::Riders)];

/// The forms of query parameters that are texts: name, pattern, an example. The document says them, and the contract holds
/// requests against them.
pub(super) const FORMS: [(&str, &str, &str); 8] = [
    (
        "day",
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2}-[0-9]{4})$",
        "2026-05-06",
    ),
    (
        "from",
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2}-[0-9]{4})$",
        "2026-05-01",
    ),
    (
        "to",
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2}-[0-9]{4})$",
        "2026-05-31",
    ),
    (
        "date",
        r"^([0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?|[0-9]{2}[-/][0-9]{2}[-/][0-9]{4})$",
        "2026-05-06",
    ),
    ("age", r"^([0-9]{1,3}|[0-9]{1,3}-[0-9]{0,3}|-[0-9]{1,3})$", "25-34"),
    (
        "window",
        r"^[0-9]{4}-([0-9]{2}(-[0-9]{2}.{0,30})?|W[0-9]{2})$",
        "2026-05-06",
    ),
    (
        "ride_id",
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(,[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}){0,99}$",
        "019df9d3-8dc0-7f2b-a2be-1a5e4e6a3c55",
    ),
    ("cursor", r"^[A-Za-z0-9_.:+\-]{1,200}$", ""),
];

/// A gender by which rows are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Gender {
    /// `female`
    Female,
    /// `male`
    Male,
    /// Any other.
    Other,
    /// Not told.
    Unknown,
}

impl From<Gender> for rider::Gender {
    fn from(gender: Gender) -> Self {
        match gender {
            Gender::Female => rider::Gender::Female,
            Gender::Male => rider::Gender::Male,
            Gender::Other => rider::Gender::Other,
            Gender::Unknown => rider::Gender::Unknown,
        }
    }
}

/// Cuts a page that was read one item too long, and gives its last item when there is more after it.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: u32) -> Option<&T> {
    let limit = limit as usize;
    let has_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| has_more)
}

/// A part of a cursor as it was given out.
pub(super) fn parse_cursor<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| wrong_cursor())
}

/// A cursor that no list of this kind gave out.
pub(super) fn wrong_cursor() -> Refusal {
    Refusal::unsuitable("`cursor` is not one that this list gave out as `next`")
}

/// A cursor of a figure and an id.
pub(super) fn parse_figure_and<T: std::str::FromStr>(cursor: &str) -> Result<(f64, T), Refusal> {
    let (figure, id) = cursor.split_once('_').unwrap_or_default();
    let figure: f64 = parse_cursor(figure)?;
    if figure.is_nan() {
        Err(wrong_cursor())
    } else {
        Ok((figure, parse_cursor(id)?))
    }
}

/// A name as a cursor can have it.
pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The name that [`hex`] made a part of a cursor of.
pub(super) fn from_hex(text: &str) -> Result<String, Refusal> {
    let bytes = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(wrong_cursor)
}

/// An order and whether it goes upwards: `-` before a name is downwards.
pub(super) fn parse_sort<O: Copy>(text: Option<&str>, known: &[(&str, O)], unless_said: (O, bool)) -> (O, bool) {
    let Some(text) = text else { return unless_said };
    let (name, is_ascending) = text.strip_prefix('-').map_or((text, true), |name| (name, false));
    let found = known.iter().find(|(known, _)| *known == name);
    found.map_or(unless_said, |(_, order)| (*order, is_ascending))
}

/// A day as ISO 8601 or as the older systems wrote it, day first.
pub(super) fn parse_day(name: &str, text: &str) -> Result<NaiveDate, Refusal> {
    let is_iso = text.as_bytes().get(4) == Some(&b'-');
    let format = if is_iso { "%Y-%m-%d" } else { "%d-%m-%Y" };
    NaiveDate::parse_from_str(&text.replace('/', "-"), format).map_err(|_| {
        Refusal::unsuitable(format!(
            "`{name}` is no day of the calendar: expected one such as `2022-07-07` or `07-07-2022`"
        ))
    })
}

/// The first and the last of the days that a text means: a day, a month, a year.
pub(super) fn parse_days(name: &str, text: &str) -> Result<(NaiveDate, NaiveDate), Refusal> {
    let (first, length) = match text.len() {
        4 => (format!("{text}-01-01"), Months::new(12)),
        7 => (format!("{text}-01"), Months::new(1)),
        _ => return parse_day(name, text).map(|day| (day, day)),
    };
    let first = parse_day(name, &first)?;
    let last = first
        .checked_add_months(length)
        .and_then(|next| next.checked_sub_days(Days::new(1)));
    let last = last.ok_or_else(|| Refusal::unsuitable(format!("`{name}` is beyond the calendar")))?;
    Ok((first, last))
}

/// `25-34`, `25`, `65-`, `-17`: years, both ends included.
pub(super) fn parse_ages(text: &str) -> Result<Ages, Refusal> {
    let bound = |text: &str, unless_said: i32| if text.is_empty() { Ok(unless_said) } else { text.parse() };
    let ages = match text.split_once('-') {
        None => bound(text, 0).map(|age| (age, age)),
        Some((from, to)) => bound(from, 0).and_then(|from| Ok((from, bound(to, 999)?))),
    };
    match ages {
        Ok((from, to)) if from <= to => Ok(Ages { from, to }),
        _ => Err(Refusal::unsuitable("`age` goes from the younger to the older: `25-34`")),
    }
}

/// Towns, parted by commas.
pub(super) fn parse_towns(text: Option<&str>) -> Vec<String> {
    let towns = text.into_iter().flat_map(|text| text.split(','));
    towns
        .map(|town| town.trim().to_owned())
        .filter(|town| !town.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_month_or_a_year_is_meant_with_all_of_its_days() {
        let days = |text| {
            parse_days("date", text)
                .map(|(first, last)| format!("{first} {last}"))
                .unwrap_or_default()
        };
        assert_eq!(days("2026-11-21"), "2026-11-21 2026-11-21");
        assert_eq!(days("21-11-2026"), "2026-11-21 2026-11-21");
        assert_eq!(days("21/11/2026"), "2026-11-21 2026-11-21");
        assert_eq!(days("2024-02"), "2024-02-01 2024-02-29");
        assert_eq!(days("2026"), "2026-01-01 2026-12-31");
        assert_eq!(days("31-02-2026"), "");
    }

    #[test]
    fn ages_are_a_year_or_a_span_that_may_be_open() {
        let ages = |text| parse_ages(text).map(|ages| (ages.from, ages.to)).ok();
        assert_eq!(ages("30"), Some((30, 30)));
        assert_eq!(ages("25-34"), Some((25, 34)));
        assert_eq!(ages("65-"), Some((65, 999)));
        assert_eq!(ages("-17"), Some((0, 17)));
        assert_eq!(ages("40-30"), None);
    }
}
