//! Which stream told of which ride: needed where two streams tell of the same one, and where a stream is gone without its
//! rides having ended.

use std::collections::HashSet;

use duckdb::{Connection, params};
use uuid::Uuid;

use super::{
    Doing, Result, Store,
    buffer::{StoredFacts, replace_rides},
    lock,
    value::{listed, parsed},
};
use crate::domain::{
    batch::{Begun, StreamId},
    day::DayRule,
    ride::{EndReason, Ride, Totals},
};

impl Store {
    /// Rides under way that `stream` told of in `partition`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open_rides_of(&self, stream: &StreamId, partition: i32) -> Result<HashSet<Uuid>> {
        let doing = || format!("cannot read which rides of `{}` are under way", stream.topic);
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/open_rides_of.sql")).doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic, partition], |row| parsed(row, 0))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Rides under way that only streams other than `stream` told of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open_rides_elsewhere(&self, stream: &StreamId) -> Result<HashSet<Uuid>> {
        let doing = || "cannot read which rides are under way".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare(include_str!("sql/open_rides_elsewhere.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic], |row| parsed(row, 0))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Ends rides that nobody tells of any more, by the idle rule, with the readings that are stored of them.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn close_rides(&self, rides: &HashSet<Uuid>, day_rule: &DayRule) -> Result<()> {
        if rides.is_empty() {
            return Ok(());
        }
        let doing = || format!("cannot end {} rides that nothing more is told of", rides.len());
        self.transaction(doing, |connection| {
            let facts = StoredFacts::read(connection, rides)?;
            let rows: Vec<Ride> = begun_rides(connection, rides)?
                .iter()
                .map(|ride| facts.correct(ride, day_rule))
                .collect();
            replace_rides(connection, &rows, rides.iter())?;
            self.announcer().announce(connection, &rows)
        })
    }

    /// From now on the seconds of `rides` are compared with the stored ones, and their rows made from all of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn share_rides(&self, stream: &StreamId, partition: i32, rides: &[Uuid]) -> Result<()> {
        if rides.is_empty() {
            return Ok(());
        }
        let mut shared = lock(&self.inner.shared_rides);
        let begun: Vec<Begun> = rides
            .iter()
            .map(|&ride_id| Begun {
                ride_id,
                partition,
                is_again: true,
            })
            .collect();
        let again = rides.iter().copied().collect();
        let doing = || "cannot remember which rides came again".to_owned();
        self.transaction(doing, |connection| append(connection, stream, &begun, &again))?;
        shared.extend(again);
        Ok(())
    }
}

/// Removes all that is stored of `rides`, where they are not history yet.
pub(super) fn drop_rides(connection: &Connection, rides: &HashSet<Uuid>) -> Result<()> {
    if rides.is_empty() {
        return Ok(());
    }
    remove_from(connection, "ops.ride_source", rides)?;
    remove_rides(connection, rides)
}

/// Removes rides from the buffer, but not where they came from.
pub(super) fn remove_rides(connection: &Connection, rides: &HashSet<Uuid>) -> Result<()> {
    if rides.is_empty() {
        return Ok(());
    }
    ["daily.reading", "daily.ride", "daily.alert"]
        .iter()
        .try_for_each(|table| remove_from(connection, table, rides))
}

fn remove_from(connection: &Connection, table: &str, rides: &HashSet<Uuid>) -> Result<()> {
    let sql = format!("delete from {table} where ride_id in (select cast(unnest(string_split(?, ',')) as uuid))");
    connection
        .execute(&sql, [listed(rides)])
        .map(drop)
        .doing(|| format!("cannot remove {} rides that are not this store's", rides.len()))
}

/// Rides of which the store may hold more than a stream that tells of them knows.
pub(super) fn shared(connection: &Connection) -> Result<HashSet<Uuid>> {
    let doing = || "cannot read which rides came again".to_owned();
    let mut statement = connection
        .prepare("select distinct ride_id::varchar from ops.ride_source where is_again")
        .doing(doing)?;
    let rows = statement.query_map([], |row| parsed(row, 0)).doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Remembers that `stream` tells of the rides; `again` are those that were stored before.
pub(super) fn append(connection: &Connection, stream: &StreamId, begun: &[Begun], again: &HashSet<Uuid>) -> Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    let doing = || "cannot remember where rides came from".to_owned();
    let mut appender = connection.appender_to_db("ride_source", "ops").doing(doing)?;
    for ride in begun {
        appender
            .append_row(params![
                ride.ride_id.to_string(),
                stream.source,
                stream.topic,
                ride.partition,
                again.contains(&ride.ride_id)
            ])
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

/// The partitions of `stream` that told of `rides`.
pub(super) fn partitions<'r>(
    connection: &Connection,
    stream: &StreamId,
    rides: impl Iterator<Item = &'r Uuid>,
) -> Result<Vec<(Uuid, i32)>> {
    let rides = listed(rides);
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read where rides came from".to_owned();
    let mut statement = connection
        .prepare(include_str!("sql/ride_partitions.sql"))
        .doing(doing)?;
    let rows = statement
        .query_map(params![stream.source, stream.topic, rides], |row| {
            Ok((parsed(row, 0)?, row.get(1)?))
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// The rows of `rides`, ended where they began: their figures are still to be made.
fn begun_rides(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<Ride>> {
    let doing = || "cannot read the rides that are to be ended".to_owned();
    let mut statement = connection.prepare(include_str!("sql/begun_rides.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| {
            let started_at = chrono::DateTime::from_timestamp_micros(row.get(3)?).unwrap_or_default();
            Ok(Ride {
                ride_id: parsed(row, 0)?,
                business_day: None,
                bike_serial: row.get(1)?,
                rider_id: row.get(2)?,
                started_at,
                ended_at: Some(started_at),
                end_reason: Some(EndReason::Idle),
                is_partial: row.get(4)?,
                totals: Totals::default(),
                alert_count: row.get(5)?,
            })
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}
