//! Erasing a ride, or a rider with all their rides, for good: rows go at once, in one transaction with the tombstone that
//! keeps them from coming back. Files are named, for those who know where they are to delete them; sealed days are marked,
//! to be sealed again without what was erased; and the database's file still holds the bytes until it is written anew
//! ([`Store::rewrite`]).

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, Row, params};
use uuid::Uuid;

use super::{
    Doing, Result, Store, StoreError, compact, erased_list, lock,
    value::{self, parsed},
};
use crate::domain::{
    erasure::{Erased, Erasure, Files, IfAbsent, Subject, Tombstones, WITHOUT_TEXT},
    message::MessageKind,
    ride_ended::RideEnded,
};

impl Store {
    /// What is not to be kept again. The same `Arc` until something is erased.
    #[must_use]
    pub fn tombstones(&self) -> Arc<Tombstones> {
        Arc::clone(&lock(&self.inner.tombstones))
    }

    /// Rides that turned out to be an erased rider's are in the database as such: in memory as well.
    pub(super) fn bury(&self, rides: &HashSet<Uuid>) {
        if rides.is_empty() {
            return;
        }
        let mut known = lock(&self.inner.tombstones);
        let mut all = Tombstones::clone(&known);
        all.rides.extend(rides);
        *known = Arc::new(all);
    }

    /// Erases `subject` from the database, by the wish of `asked_by`. None where there is nothing of it and that is
    /// refused.
    ///
    /// # Errors
    /// When the database cannot be read or written; nothing is erased then.
    pub fn erase(&self, subject: Subject, asked_by: &str, if_absent: IfAbsent) -> Result<Option<Erasure>> {
        // A day is not sealed meanwhile, and no readings come: neither knows of the tombstone yet.
        let _lake = self.hold_lake()?;
        let _readings = lock(&self.inner.shared_rides);
        let erasure_id = Uuid::from_bytes(super::api_key::random()?);
        let erasure = begun(erasure_id, subject, self.clock().now(), asked_by.to_owned());
        let doing = || format!("cannot erase {subject}");
        let done = self.transaction(doing, |connection| erase(connection, erasure.clone(), if_absent))?;
        let Some(erasure) = done else { return Ok(None) };
        let connection = self.connection()?;
        // Locked only now: whoever asks for these does not wait while rows are deleted.
        *lock(&self.inner.tombstones) = Arc::new(read(&connection)?);
        {
            let mut limits = lock(&self.inner.rider_limits);
            *limits = Arc::new(super::rider_limit::read(&connection)?);
        }
        if let Err(error) = erased_list::write_down(self.data_dir(), &erasure) {
            tracing::warn!("{error:#}; it is tried again before the erasure is finished");
        }
        Ok(Some(erasure))
    }

    /// Everything that was erased, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn erasures(&self) -> Result<Vec<Erasure>> {
        list(&*self.connection()?, false)
    }

    /// What is being erased: something of it is still somewhere.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn unfinished_erasures(&self) -> Result<Vec<Erasure>> {
        list(&*self.connection()?, true)
    }

    /// Writes down how much was erased by now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn count_erased(&self, erasure_id: Uuid, erased: &Erased) -> Result<()> {
        self.update_erasure(
            "update ops.erasure set erased = ?2 where erasure_id = cast(?1 as uuid)",
            params![erasure_id.to_string(), json(erased)?],
        )
    }

    /// Writes down that nothing of an erasure is left anywhere; which files it had is forgotten.
    ///
    /// # Errors
    /// When the database, or the list of what was erased beside it, cannot be written.
    pub fn finish_erasure(&self, erasure: &Erasure) -> Result<()> {
        erased_list::write_down(self.data_dir(), erasure)?;
        self.update_erasure(
            "update ops.erasure set files = ?2, finished_at = ?3 where erasure_id = cast(?1 as uuid)",
            params![
                erasure.erasure_id.to_string(),
                json(&Files::default())?,
                value::timestamp(self.clock().now())
            ],
        )
    }

    fn update_erasure(&self, sql: &str, parameters: &[&dyn duckdb::ToSql]) -> Result<()> {
        let doing = || "cannot write down how far an erasure is".to_owned();
        self.transaction(doing, |connection| {
            connection.execute(sql, parameters).map(drop).doing(doing)
        })
    }
}

/// Everything that is not to be kept again.
pub(super) fn read(connection: &Connection) -> Result<Tombstones> {
    let doing = || "cannot read what was erased".to_owned();
    let mut statement = connection
        .prepare("select cast(ride_id as varchar), rider_id, epoch_us(begun_before) from ops.tombstone")
        .doing(doing)?;
    let mut rows = statement.query([]).doing(doing)?;
    let mut tombstones = Tombstones::default();
    while let Some(row) = rows.next().doing(doing)? {
        match row.get::<_, Option<i64>>(1).doing(doing)? {
            None => drop(tombstones.rides.insert(parsed(row, 0).doing(doing)?)),
            Some(rider_id) => {
                let begun_before = DateTime::from_timestamp_micros(row.get(2).doing(doing)?).unwrap_or_default();
                let until = tombstones.riders.entry(rider_id).or_insert(begun_before);
                *until = begun_before.max(*until);
            }
        }
    }
    Ok(tombstones)
}

/// Rides that turned out to be an erased rider's: from now on they are erased by their own ids too.
pub(super) fn bury<'r>(connection: &Connection, rides: impl IntoIterator<Item = &'r Uuid>) -> Result<()> {
    let doing = || "cannot keep which rides are erased".to_owned();
    let mut insert = connection
        .prepare("insert into ops.tombstone values (cast(? as uuid), null, null)")
        .doing(doing)?;
    for ride in rides {
        insert.execute([ride.to_string()]).doing(doing)?;
    }
    Ok(())
}

/// An erasure that nothing was done for yet.
pub(super) fn begun(erasure_id: Uuid, subject: Subject, erased_at: DateTime<Utc>, asked_by: String) -> Erasure {
    Erasure {
        erasure_id,
        subject,
        erased_at,
        asked_by,
        erased: Erased::default(),
        days: BTreeSet::new(),
        files: Files::default(),
        finished_at: None,
    }
}

/// Erases in the transaction under way. None where there is nothing of it and that is refused.
pub(super) fn erase(connection: &Connection, mut erasure: Erasure, if_absent: IfAbsent) -> Result<Option<Erasure>> {
    let subject = erasure.subject;
    let (ride_id, rider_id) = match subject {
        Subject::Ride(ride_id) => (Some(ride_id.to_string()), None),
        Subject::Rider(rider_id) => (None, Some(rider_id)),
    };
    let doing = || format!("cannot erase {subject}");
    let run = |sql: &str, parameters: &[&dyn duckdb::ToSql]| -> Result<i64> {
        let rows = connection.execute(sql, parameters).doing(doing)?;
        Ok(i64::try_from(rows).unwrap_or(i64::MAX))
    };
    let erased_at = value::timestamp(erasure.erased_at);
    run(include_str!("sql/stage_erased_rides.sql"), params![ride_id, rider_id])?;
    erasure.erased = count(connection, rider_id).doing(doing)?;
    erasure.erased.rejected_lines = run(include_str!("sql/erase_rejected_of_rides.sql"), params![WITHOUT_TEXT])?;
    if rider_id.is_some() {
        let lines = run(
            include_str!("sql/erase_rejected_of_rider.sql"),
            params![rider_id, WITHOUT_TEXT],
        )?;
        erasure.erased.rejected_lines += lines;
    }
    if erasure.erased == Erased::default() && if_absent == IfAbsent::Refuse {
        return Ok(None);
    }
    erasure.days = days(connection).doing(doing)?;

    run(include_str!("sql/erased_messages.sql"), params![])?;
    erasure.files = files(connection).doing(doing)?;
    let of_messages = "message_id in (select message_id from temp.erased_message)";
    erasure.erased.messages = run(&format!("delete from ops.outbox where {of_messages}"), params![])?;
    if let Some(rider_id) = rider_id {
        run(include_str!("sql/erase_mail_readers.sql"), params![rider_id])?;
        run(
            "insert into ops.tombstone values (null, ?, ?)",
            params![rider_id, erased_at],
        )?;
    }
    let ride_id_alone = ride_id.iter().filter_map(|ride_id| ride_id.parse().ok());
    let rides: HashSet<Uuid> = erased_rides(connection)
        .doing(doing)?
        .into_iter()
        .chain(ride_id_alone)
        .collect();
    bury(connection, &rides)?;
    // What brings rides under way back has their riders in it. It is made again, from the log.
    run(include_str!("sql/blank_erased_checkpoints.sql"), params![])?;
    for (table, is_of_rides) in tables(connection).doing(doing)? {
        if is_of_rides {
            let sql = format!("delete from {table} where ride_id in (select ride_id from temp.erased_ride)");
            run(&sql, params![])?;
        } else if let Some(rider_id) = rider_id {
            run(&format!("delete from {table} where rider_id = ?"), params![rider_id])?;
        }
    }
    run(include_str!("sql/stage_riders_of_erased.sql"), params![])?;
    connection
        .execute_batch(include_str!("sql/recount_riders.sql"))
        .doing(doing)?;
    erasure.days.extend(later_first_days(connection).doing(doing)?);
    for &day in &erasure.days {
        compact::mark_changed(connection, day)?;
        // What an earlier report said less what the next one says would be what was erased.
        let day = day.to_string();
        run("delete from ops.first_report where business_day = ?", params![day])?;
        run(
            "update ops.mailed_report set figures = '[]' where business_day = ?",
            params![day],
        )?;
    }
    for table in ["erased_ride", "erased_message", "recounted_rider"] {
        run(&format!("drop table temp.{table}"), params![])?;
    }
    run(
        "insert into ops.erasure values (cast(? as uuid), cast(? as uuid), ?, ?, ?, ?, ?, ?, null)",
        params![
            erasure.erasure_id.to_string(),
            ride_id,
            rider_id,
            erased_at,
            erasure.asked_by,
            json(&erasure.erased)?,
            json(&erasure.days)?,
            json(&erasure.files)?,
        ],
    )?;
    Ok(Some(erasure))
}

/// The tables that have rows of single rides (true) or riders (false), those that somebody's own SQL makes included.
fn tables(connection: &Connection) -> duckdb::Result<Vec<(String, bool)>> {
    let mut statement = connection.prepare(include_str!("sql/tables_of_rides_and_riders.sql"))?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Sealed days that hold the first rides of riders whose earlier ones were erased: there they are new from now on.
fn later_first_days(connection: &Connection) -> duckdb::Result<Vec<NaiveDate>> {
    let mut statement = connection.prepare(include_str!("sql/days_of_first_rides_left.sql"))?;
    statement.query_map([], |row| parsed(row, 0))?.collect()
}

fn count(connection: &Connection, rider_id: Option<i64>) -> duckdb::Result<Erased> {
    connection.query_row(include_str!("sql/count_erased.sql"), params![rider_id], |row| {
        Ok(Erased {
            rides: row.get(0)?,
            readings: row.get(1)?,
            alerts: row.get(2)?,
            descriptions: row.get(3)?,
            limits: row.get(4)?,
            ..Erased::default()
        })
    })
}

fn days(connection: &Connection) -> duckdb::Result<BTreeSet<NaiveDate>> {
    let mut statement = connection.prepare(include_str!("sql/erased_sealed_days.sql"))?;
    statement.query_map([], |row| parsed(row, 0))?.collect()
}

fn erased_rides(connection: &Connection) -> duckdb::Result<Vec<Uuid>> {
    let sql = "select distinct cast(ride_id as varchar) from temp.erased_ride";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| parsed(row, 0))?.collect()
}

/// The files of what is staged: in the folders of the days that rides ended in, and of those in which they were said to have.
fn files(connection: &Connection) -> duckdb::Result<Files> {
    let mut rides = BTreeSet::new();
    let sql = "select distinct cast(ride_id as varchar), cast(business_day as varchar) from temp.erased_ride
        where business_day is not null";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        rides.insert((parsed(row, 0)?, parsed(row, 1)?));
    }
    let mut mails = Vec::new();
    let sql = "select cast(message_id as varchar), kind, payload from ops.outbox
        where message_id in (select message_id from temp.erased_message)";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, String>(1)? == MessageKind::HeartRateAlert.name() {
            mails.push(parsed(row, 0)?);
        } else if let Ok(ended) = serde_json::from_slice::<RideEnded>(&row.get::<_, Vec<u8>>(2)?) {
            rides.insert((ended.ride_id, ended.business_day));
        }
    }
    mails.sort();
    Ok(Files {
        mails,
        rides: rides.into_iter().collect(),
    })
}

pub(super) fn list(connection: &Connection, only_unfinished: bool) -> Result<Vec<Erasure>> {
    let doing = || "cannot read what was erased".to_owned();
    let mut statement = connection.prepare(include_str!("sql/erasures.sql")).doing(doing)?;
    let rows = statement.query_map([only_unfinished], erasure).doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

fn erasure(row: &Row<'_>) -> duckdb::Result<Erasure> {
    let at = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let subject = match row.get::<_, Option<i64>>(2)? {
        Some(rider_id) => Subject::Rider(rider_id),
        None => Subject::Ride(parsed(row, 1)?),
    };
    Ok(Erasure {
        erasure_id: parsed(row, 0)?,
        subject,
        erased_at: at(row.get(3)?),
        asked_by: row.get(4)?,
        erased: from_json(row, 5)?,
        days: from_json(row, 6)?,
        files: from_json(row, 7)?,
        finished_at: row.get::<_, Option<i64>>(8)?.map(at),
    })
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Inconsistent(format!("cannot write down what was erased: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> duckdb::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| duckdb::Error::InvalidColumnType(column, text, duckdb::types::Type::Text))
}

#[cfg(test)]
#[path = "erasure_tests.rs"]
mod tests;
