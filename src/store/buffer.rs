//! Rows of the buffer, as a flush, a replay and the end of an orphaned ride write and read them; each within a transaction
//! of its caller's.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use duckdb::{Connection, params};
use uuid::Uuid;

use super::{
    Doing, Result, StoreError,
    reading_columns::ReadingColumns,
    value::{self, listed, parsed},
};
use crate::domain::{
    day::DayRule,
    event::LogInstant,
    ride::{Reading, Ride, Totals},
    rider::{Rider, postcode_area, split_address, split_name},
};

/// Appends readings to the buffer.
pub(super) fn append_readings<'r>(connection: &Connection, readings: impl Iterator<Item = &'r Reading>) -> Result<()> {
    let mut columns = ReadingColumns::default();
    readings.for_each(|reading| columns.push(reading));
    let batch = columns
        .finish()
        .map_err(|error| StoreError::Inconsistent(format!("cannot lay out readings: {error}")))?;
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let doing = || "cannot append readings".to_owned();
    let mut appender = connection.appender_to_db("reading", "daily").doing(doing)?;
    appender.append_record_batch(batch).doing(doing)?;
    appender.flush().doing(doing)
}

/// Appends what headers say of riders.
pub(super) fn append_riders<'r>(
    connection: &Connection,
    riders: impl Iterator<Item = &'r (Rider, LogInstant)>,
) -> Result<()> {
    let mut riders = riders.peekable();
    if riders.peek().is_none() {
        return Ok(());
    }
    let doing = || "cannot append riders".to_owned();
    let mut appender = connection.appender_to_db("rider", "daily").doing(doing)?;
    for (rider, seen_at) in riders {
        let (forename, surname) = rider.name.as_deref().map_or((None, None), split_name);
        let address = rider.address.as_deref().map(split_address).unwrap_or_default();
        appender
            .append_row(params![
                rider.rider_id,
                value::instant(*seen_at),
                rider.name,
                forename,
                surname,
                rider.gender.name(),
                rider.address,
                address.street,
                address.town,
                address.postcode,
                address.postcode.and_then(postcode_area),
                value::date(rider.date_of_birth),
                rider.email_address,
                rider.height_cm,
                rider.weight_kg,
                value::date(rider.account_created_on),
                rider.original_source,
            ])
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

/// Every stored reading of `rides`, by ride and second.
pub(super) fn stored_readings(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<Reading>> {
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read the stored readings of rides that came again".to_owned();
    let mut statement = connection
        .prepare(include_str!("sql/stored_readings.sql"))
        .doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| {
            Ok(Reading {
                ride_id: parsed(row, 0)?,
                second: row.get(1)?,
                at: row.get(2)?,
                resistance: row.get(3)?,
                heart_rate_bpm: row.get(4)?,
                is_dropout: row.get(5)?,
                cadence_rpm: row.get(6)?,
                power_watts: row.get(7)?,
                is_flagged: row.get(8)?,
                has_ride_line: true,
                has_telemetry_line: true,
            })
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// What the store holds of some rides, whoever told of it.
pub(super) struct StoredFacts {
    figures: HashMap<Uuid, (Totals, i64, i32)>,
    riders: HashMap<Uuid, i64>,
}

impl StoredFacts {
    pub(super) fn read(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Self> {
        let mut facts: HashMap<Uuid, (Totals, i64, i32)> = HashMap::new();
        for reading in stored_readings(connection, rides)? {
            let (totals, last_at, _) = facts.entry(reading.ride_id).or_insert((Totals::default(), i64::MIN, 0));
            totals.add(&reading);
            *last_at = (*last_at).max(reading.at);
        }
        for (ride, _, alerts) in ride_facts(connection, rides)? {
            if let Some(fact) = facts.get_mut(&ride) {
                fact.2 = alerts;
            }
        }
        Ok(StoredFacts {
            figures: facts,
            riders: riders(connection, rides)?,
        })
    }

    /// `ride` with figures made from what the store holds of it, where it was asked for.
    pub(super) fn correct(&self, ride: &Ride, day_rule: &DayRule) -> Ride {
        let (totals, last_at, alert_count) = match self.figures.get(&ride.ride_id) {
            Some(&(totals, last_at, alert_count)) => (totals, DateTime::from_timestamp_micros(last_at), alert_count),
            None => (ride.totals, None, ride.alert_count),
        };
        let ended_at = ride.ended_at.map(|ended_at| last_at.unwrap_or(ended_at));
        // Whoever told of it first, or a line that was read later, may have known who rides.
        let rider_id = ride.rider_id.or(self.riders.get(&ride.ride_id).copied());
        Ride {
            rider_id,
            is_partial: ride.is_partial && rider_id.is_none(),
            totals,
            ended_at,
            business_day: ended_at.map(|at| day_rule.day_of(at)),
            alert_count,
            ..ride.clone()
        }
    }
}

/// Who rode the rides, where the buffer knows.
fn riders(connection: &Connection, rides: &HashSet<Uuid>) -> Result<HashMap<Uuid, i64>> {
    if rides.is_empty() {
        return Ok(HashMap::new());
    }
    let doing = || "cannot read who rode the rides that came again".to_owned();
    let mut statement = connection.prepare(include_str!("sql/ride_riders.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| Ok((parsed(row, 0)?, row.get(1)?)))
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Writes the rows of rides; those of `stored` may be there already, in an older form.
pub(super) fn replace_rides<'r>(
    connection: &Connection,
    rows: &[Ride],
    stored: impl Iterator<Item = &'r Uuid>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let doing = || "cannot write rides".to_owned();
    let stored = listed(stored);
    if !stored.is_empty() {
        connection
            .prepare_cached(include_str!("sql/delete_rides.sql"))
            .and_then(|mut sql| sql.execute([stored]))
            .doing(doing)?;
    }
    let mut appender = connection.appender_to_db("ride", "daily").doing(doing)?;
    for ride in rows {
        appender
            .append_row(duckdb::appender_params_from_iter(value::ride(ride)))
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

/// What is stored of `rides`: (ride, readings, alerts).
pub(super) fn ride_facts(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<(Uuid, i32, i32)>> {
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read what is stored of the open rides".to_owned();
    let mut statement = connection.prepare(include_str!("sql/ride_facts.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| Ok((parsed(row, 0)?, row.get(1)?, row.get(2)?)))
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}
