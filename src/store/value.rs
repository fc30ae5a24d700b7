//! From the program's values to DuckDB's, and back where the crate has no way of its own.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::types::{TimeUnit, Value};
use uuid::Uuid;

use crate::domain::{event::LogInstant, ride::Ride};

pub(super) fn instant(at: LogInstant) -> Value {
    Value::Timestamp(TimeUnit::Microsecond, at)
}

pub(super) fn optional_instant(at: Option<LogInstant>) -> Value {
    at.map_or(Value::Null, instant)
}

pub(super) fn timestamp(at: DateTime<Utc>) -> Value {
    instant(at.timestamp_micros())
}

pub(super) fn date(date: Option<NaiveDate>) -> Value {
    date.map_or(Value::Null, |date| Value::Date32(days_since_1970(date)))
}

fn days_since_1970(date: NaiveDate) -> i32 {
    i32::try_from((date - NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

pub(super) fn optional<T>(value: Option<T>, of: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, of)
}

/// A row of `daily.ride`.
pub(super) fn ride(ride: &Ride) -> [Value; 26] {
    let totals = &ride.totals;
    #[expect(clippy::cast_possible_truncation, reason = "these series hold small whole numbers")]
    let whole = |value: Option<f64>| optional(value, |value| Value::Int(value as i32));
    let double = |value: Option<f64>| optional(value, Value::Double);
    [
        Value::Text(ride.ride_id.to_string()),
        date(ride.business_day),
        Value::Text(ride.bike_serial.clone()),
        optional(ride.rider_id, Value::BigInt),
        timestamp(ride.started_at),
        optional(ride.ended_at, timestamp),
        optional(ride.end_reason, |reason| Value::Text(reason.name().to_owned())),
        Value::Boolean(ride.is_partial),
        Value::Int(totals.duration_seconds),
        Value::Int(totals.reading_count),
        Value::Double(totals.energy_kilojoules()),
        double(totals.power.mean()),
        double(totals.power.max()),
        double(totals.heart_rate.mean()),
        whole(totals.heart_rate.min()),
        whole(totals.heart_rate.max()),
        Value::Int(totals.dropout_seconds),
        double(totals.cadence.mean()),
        whole(totals.cadence.max()),
        double(totals.resistance.mean()),
        whole(totals.resistance.max()),
        Value::Int(totals.flagged_readings),
        Value::Int(ride.alert_count),
        double(totals.power.min()),
        whole(totals.cadence.min()),
        whole(totals.resistance.min()),
    ]
}

/// Ride ids as one parameter: text, since the crate binds no lists, and no table to stage them in has to be made.
pub(super) fn listed<'r>(rides: impl IntoIterator<Item = &'r Uuid>) -> String {
    let mut list = String::new();
    for ride in rides {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(ride.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    list
}

/// Numbers as one parameter, in the same way.
pub(super) fn numbers(numbers: &[i64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// An id or a date that was selected as text.
pub(super) fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &duckdb::Row<'_>,
    column: usize,
) -> duckdb::Result<T> {
    row.get::<_, String>(column)?
        .parse()
        .map_err(|error| duckdb::Error::FromSqlConversionFailure(column, duckdb::types::Type::Text, Box::new(error)))
}
