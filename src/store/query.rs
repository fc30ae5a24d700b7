//! What people ask of the store: rides, readings, riders, and the ledgers ([`ledger`]). Reads only, over the views
//! `ride`, `reading` and `rider`, which join the buffer and history.

mod alert;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ledger;
mod live;
mod recent;
mod row;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Row, ToSql, named_params};
use uuid::Uuid;

use super::{Doing, Result, Store, StoreError};
use crate::domain::rider::Gender;
pub use alert::{AlertFilter, AlertRow, alerts};
pub use live::{LiveReading, PersonalBests, live_readings, personal_bests};
pub use recent::{Activity, RecentFilter, RecentRide, recent_activity, recent_rides};
pub use row::{ReadingRow, RideRow};

/// Which rides, newest first. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct RideFilter {
    /// Only this ride.
    pub ride_id: Option<Uuid>,
    /// Only rides that began before this one: the last of the page before.
    pub before: Option<Uuid>,
    /// Only rides that ended in this business day.
    pub day: Option<NaiveDate>,
    /// Only this rider's.
    pub rider_id: Option<i64>,
    /// Only of riders who live in this town, in any case.
    pub town: Option<String>,
}

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

/// A place on the leaderboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// 1 for the best; shared by equal figures.
    pub rank: i64,
    /// The rider.
    pub rider_id: i64,
    /// Their name as received.
    pub name: Option<String>,
    /// The measure's figure, in its unit.
    pub value: f64,
    /// Rides it is taken over.
    pub rides: i64,
}

/// A town, its riders and their rides.
#[derive(Debug, Clone, PartialEq)]
pub struct City {
    /// The town's name.
    pub name: String,
    /// Riders who live there.
    pub riders: i64,
    /// Their rides.
    pub rides: i64,
}

/// One page of rides, newest first.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn rides(store: &Store, filter: &RideFilter, limit: u32) -> Result<Vec<RideRow>> {
    rows(
        store,
        include_str!("sql/api_rides.sql"),
        named_params! {
            "ride_id": filter.ride_id.map(|id| id.to_string()),
            "before": filter.before.map(|id| id.to_string()),
            "day": filter.day.map(|day| day.to_string()),
            "rider_id": filter.rider_id,
            "town": filter.town,
            "limit": limit,
        },
        "cannot read rides",
        row::ride,
    )
}

/// One ride.
pub fn ride_by_id(store: &Store, ride_id: Uuid) -> Result<Option<RideRow>> {
    let filter = RideFilter {
        ride_id: Some(ride_id),
        ..RideFilter::default()
    };
    Ok(rides(store, &filter, 1)?.pop())
}

/// One page of a ride's readings: those after second `after`, in order.
pub fn readings(store: &Store, ride: &RideRow, after: i32, limit: u32) -> Result<Vec<ReadingRow>> {
    rows(
        store,
        include_str!("sql/api_readings.sql"),
        named_params! {
            "ride_id": ride.ride_id.to_string(),
            "day": ride.business_day.map(|day| day.to_string()),
            "after": after,
            "limit": limit,
        },
        "cannot read the readings of a ride",
        row::reading,
    )
}

/// One rider.
pub fn rider(store: &Store, rider_id: i64) -> Result<Option<RiderTotals>> {
    let sql = include_str!("sql/api_rider.sql");
    let mut riders = rows(
        store,
        sql,
        named_params! { "rider_id": rider_id },
        "cannot read a rider",
        |row| {
            Ok(RiderTotals {
                rider_id: row.get(0)?,
                name: row.get(1)?,
                forename: row.get(2)?,
                surname: row.get(3)?,
                gender: Gender::parse(row.get::<_, Option<String>>(4)?.as_deref()),
                date_of_birth: parsed(row, 5)?,
                email_address: row.get(6)?,
                address: row.get(7)?,
                town: row.get(8)?,
                postcode_area: row.get(9)?,
                height_cm: row.get(10)?,
                weight_kg: row.get(11)?,
                account_created_on: parsed(row, 12)?,
                original_source: row.get(13)?,
                rides: row.get(14)?,
                duration_seconds: row.get(15)?,
                energy_kilojoules: row.get(16)?,
                heart_rate_bpm_mean: row.get(17)?,
                heart_rate_bpm_max: row.get(18)?,
                power_watts_mean: row.get(19)?,
                power_watts_max: row.get(20)?,
                longest_ride_seconds: row.get(21)?,
                first_ride_at: maybe_instant(row, 22)?,
                last_ride_at: maybe_instant(row, 23)?,
            })
        },
    )?;
    Ok(riders.pop())
}

/// The rides of a rider and their durations in seconds, longest first.
pub fn ride_durations(store: &Store, rider_id: i64, offset: u32, limit: u32) -> Result<Vec<(Uuid, i32)>> {
    let sql = include_str!("sql/api_rider_durations.sql");
    let params = named_params! { "rider_id": rider_id, "offset": offset, "limit": limit };
    rows(
        store,
        sql,
        params,
        "cannot read the durations of a rider's rides",
        |row| Ok((uuid(row, 0)?, row.get(1)?)),
    )
}

/// The best `limit` riders by `measure` (a name in `sql/api_leaderboard.sql`) over the rides that ended from
/// `first_day` to `last_day`, both included.
pub fn leaderboard(
    store: &Store,
    measure: &str,
    first_day: Option<NaiveDate>,
    last_day: Option<NaiveDate>,
    limit: u32,
) -> Result<Vec<Place>> {
    let params = named_params! {
        "measure": measure,
        "first_day": first_day.map(|day| day.to_string()),
        "last_day": last_day.map(|day| day.to_string()),
        "limit": limit,
    };
    rows(
        store,
        include_str!("sql/api_leaderboard.sql"),
        params,
        "cannot read the leaderboard",
        |row| {
            Ok(Place {
                rank: row.get(0)?,
                rider_id: row.get(1)?,
                name: row.get(2)?,
                value: row.get(3)?,
                rides: row.get(4)?,
            })
        },
    )
}

/// The towns with most rides.
pub fn cities(store: &Store, limit: u32) -> Result<Vec<City>> {
    let params = named_params! { "limit": limit };
    rows(
        store,
        include_str!("sql/api_cities.sql"),
        params,
        "cannot read the cities",
        |row| {
            Ok(City {
                name: row.get(0)?,
                riders: row.get(1)?,
                rides: row.get(2)?,
            })
        },
    )
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

/// The one row of `sql`.
fn one_row<T>(
    store: &Store,
    sql: &str,
    doing: &'static str,
    read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> Result<T> {
    let found = rows(store, sql, &[], doing, read)?.pop();
    found.ok_or_else(|| StoreError::Inconsistent(format!("{doing}: nothing was answered")))
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
fn instant(row: &Row<'_>, column: usize) -> duckdb::Result<DateTime<Utc>> {
    micros(row.get(column)?, column)
}

fn maybe_instant(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
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
