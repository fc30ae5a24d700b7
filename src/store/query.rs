//! What people ask of the store: rides, readings, riders, and the ledgers ([`ledger`]). Reads only, over the views
//! `ride`, `reading` and `rider`, which join the buffer and history.

mod alert;
mod best;
mod board;
#[cfg(test)]
mod board_tests;
mod condition;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ledger;
mod live;
mod recent;
mod ride;
mod rider;
mod row;
mod workout;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Row, ToSql};
use uuid::Uuid;

use super::{Doing, Result, Store};
use crate::domain::rider::Gender;
pub use alert::{AlertFilter, AlertRow, alerts};
pub use best::{Best, bests};
pub use board::{BoardFilter, City, CityOrder, Measure, Place, cities, leaderboard};
pub use condition::{Ages, RiderFilter};
pub use live::{LiveReading, live_readings};
pub use recent::{Activity, RecentFilter, RecentRide, recent_activity, recent_rides};
pub use ride::{RideFilter, RideOrder, known_ride, readings, ride_by_id, ride_durations, rides};
pub use rider::{RiderOrder, rider, riders};
pub use row::{ReadingRow, RideRow};
pub use workout::{WorkoutFilter, workout_samples, workouts};
pub(super) use workout::{kept_workouts, samples_of, workout_riders};

/// Where a page begins: behind the row whose sorted figure and id these are.
pub type After<Id> = Option<(f64, Id)>;

/// A rider as their newest header described them, and what their rides add up to.
#[derive(Debug, Clone)]
pub struct RiderTotals {
    /// The company's number for the person.
    pub rider_id: i64,
    /// Name as received.
    pub name: Option<String>,
    /// All words of the name but the last, without a title.
    pub forename: Option<String>,
    /// The last word of the name.
    pub surname: Option<String>,
    /// See [`Gender`].
    pub gender: Gender,
    /// Date of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// Mail address.
    pub email_address: Option<String>,
    /// Address as received.
    pub address: Option<String>,
    /// The address's town.
    pub town: Option<String>,
    /// The letters the postcode begins with.
    pub postcode_area: Option<String>,
    /// Height, cm.
    pub height_cm: Option<i32>,
    /// Weight, kg.
    pub weight_kg: Option<i32>,
    /// When the account was made.
    pub account_created_on: Option<NaiveDate>,
    /// Acquisition channel.
    pub original_source: Option<String>,
    /// Rides, open ones included.
    pub rides: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
    /// Mean over rides of the ride's mean with contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Highest of any second.
    pub heart_rate_bpm_max: Option<i32>,
    /// Mean over rides of the ride's mean.
    pub power_watts_mean: Option<f64>,
    /// Highest of any second.
    pub power_watts_max: Option<f64>,
    /// Longest ride.
    pub longest_ride_seconds: Option<i32>,
    /// Start of the first ride.
    pub first_ride_at: Option<DateTime<Utc>>,
    /// Start of the newest ride.
    pub last_ride_at: Option<DateTime<Utc>>,
}

/// Runs `sql` and reads every row.
fn rows<T>(
    store: &Store,
    sql: &str,
    params: &[(&str, &dyn ToSql)],
    doing: &'static str,
    read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> Result<Vec<T>> {
    let connection = store.connection()?;
    let mut statement = connection.prepare_cached(sql).doing(|| doing.to_owned())?;
    let rows = statement.query_map(params, read).doing(|| doing.to_owned())?;
    rows.collect::<duckdb::Result<_>>().doing(|| doing.to_owned())
}

/// The one row of `sql`, which has no parameters. It is not kept prepared: such a statement is planned but once, and what the
/// plan takes from the bounds of a column would be what they were then.
fn one_row<T>(
    store: &Store,
    sql: &str,
    doing: &'static str,
    read: impl FnOnce(&Row<'_>) -> duckdb::Result<T>,
) -> Result<T> {
    store.connection()?.query_row(sql, [], read).doing(|| doing.to_owned())
}

fn uuid(row: &Row<'_>, column: usize) -> duckdb::Result<Uuid> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

/// A date or a uuid, selected as text.
fn parsed<T>(row: &Row<'_>, column: usize) -> duckdb::Result<Option<T>>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error| unreadable(column, error)))
        .transpose()
}

/// A timestamp, selected as microseconds since 1970.
pub(super) fn instant(row: &Row<'_>, column: usize) -> duckdb::Result<DateTime<Utc>> {
    micros(row.get(column)?, column)
}

pub(super) fn maybe_instant(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
    row.get::<_, Option<i64>>(column)?
        .map(|value| micros(value, column))
        .transpose()
}

fn micros(value: i64, column: usize) -> duckdb::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(value).ok_or_else(|| {
        duckdb::Error::FromSqlConversionFailure(column, duckdb::types::Type::BigInt, "no instant".into())
    })
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> duckdb::Error {
    duckdb::Error::FromSqlConversionFailure(column, duckdb::types::Type::Text, Box::new(error))
}

/// A count, which DuckDB answers signed.
fn count(row: &Row<'_>, column: usize) -> duckdb::Result<u64> {
    row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or(0))
}
