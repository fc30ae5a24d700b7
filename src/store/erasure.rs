//! Erasing a ride, or a rider with all their rides, for good: rows go at once, in one transaction with the tombstone that
//! keeps them from coming back. Files are named, for those who know where they are to delete them; sealed days are marked,
//! to be sealed again without what was erased; and the database's file still holds the bytes until it is written anew
//! ([`Store::rewrite`]).

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, Row, params};
use uuid::Uuid;

use super::{
    Doing, Result, Store, StoreError, compact, erased_list, lock,
    value::{self, parsed},
};
use crate::domain::erasure::{Erased, Erasure, Files, Subject, Tombstones, WITHOUT_TEXT};

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

    /// Erases `subject` from the database, by the wish of `asked_by`. None where there is nothing of it.
    ///
    /// # Errors
    /// When the database cannot be read or written; nothing is erased then.
    pub fn erase(&self, subject: Subject, asked_by: &str) -> Result<Option<Erasure>> {
        // A day is not sealed meanwhile, and no readings come: neither knows of the tombstone yet.
        let _lake = self.hold_lake()?;
        let _readings = lock(&self.inner.shared_rides);
        let erasure_id = Uuid::from_bytes(super::api_key::random()?);
        let erasure = begun(erasure_id, subject, self.clock().now(), asked_by.to_owned());
        let doing = || format!("cannot erase {subject}");
        let done = self.transaction(doing, |connection| erase(connection, erasure.clone(), false))?;
        let Some(erasure) = done else { return Ok(None) };
        erased_list::append(self.data_dir(), &erasure)?;
        let connection = self.connection()?;
        // Locked only now: whoever asks for these does not wait while rows are deleted.
        *lock(&self.inner.tombstones) = Arc::new(read(&connection)?);
        let mut limits = lock(&self.inner.rider_limits);
        *limits = Arc::new(super::rider_limit::read(&connection)?);
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
    /// When the database cannot be written.
    pub fn finish_erasure(&self, erasure_id: Uuid) -> Result<()> {
        self.update_erasure(
            "update ops.erasure set files = ?2, finished_at = ?3 where erasure_id = cast(?1 as uuid)",
            params![
                erasure_id.to_string(),
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

/// Erases in the transaction under way. None where there is nothing of it, unless that `is_known` to have been erased.
pub(super) fn erase(connection: &Connection, mut erasure: Erasure, is_known: bool) -> Result<Option<Erasure>> {
    let subject = erasure.subject;
    let (ride_id, rider_id) = match subject {
        Subject::Ride(ride_id) => (Some(ride_id.to_string()), None),
        Subject::Rider(rider_id) => (None, Some(rider_id)),
    };
    let doing = || format!("cannot erase {subject}");
    let run = |sql: &str, parameters: &[&dyn duckdb::ToSql]| connection.execute(sql, parameters).doing(doing);
    let erased_at = value::timestamp(erasure.erased_at);
    run(
        include_str!("sql/stage_erased_rides.sql"),
        params![ride_id, rider_id, erased_at],
    )?;
    erasure.erased = count(connection, rider_id).doing(doing)?;
    if erasure.erased == Erased::default() && !is_known {
        return Ok(None);
    }
    erasure.days = days(connection).doing(doing)?;
    erasure.files.rides = ride_days(connection).doing(doing)?;

    run(include_str!("sql/erased_messages.sql"), params![])?;
    erasure.files.mails = mails(connection).doing(doing)?;
    let of_messages = "message_id in (select message_id from temp.erased_message)";
    let messages = run(&format!("delete from ops.outbox where {of_messages}"), params![])?;
    let lines = run(include_str!("sql/erase_rejected_of_rides.sql"), params![WITHOUT_TEXT])?;
    erasure.erased.messages = i64::try_from(messages).unwrap_or(i64::MAX);
    erasure.erased.rejected_lines = i64::try_from(lines).unwrap_or(i64::MAX);
    if let Some(rider_id) = rider_id {
        let lines = run(
            include_str!("sql/erase_rejected_of_rider.sql"),
            params![rider_id, WITHOUT_TEXT],
        )?;
        erasure.erased.rejected_lines += i64::try_from(lines).unwrap_or(i64::MAX);
        run(include_str!("sql/erase_mail_readers.sql"), params![rider_id])?;
        for (table, since) in [
            ("daily.rider", "seen_at"),
            ("historical.rider", "valid_from"),
            ("ops.rider_limit", "set_at"),
        ] {
            let sql = format!("delete from {table} where rider_id = ? and {since} <= ?");
            run(&sql, params![rider_id, erased_at])?;
        }
        run(
            "insert into ops.tombstone values (null, ?, ?)",
            params![rider_id, erased_at],
        )?;
    }
    bury(connection, erased_rides(connection).doing(doing)?.keys())?;
    for table in [
        "daily.reading",
        "daily.ride",
        "daily.alert",
        "historical.ride",
        "historical.alert",
    ] {
        let sql = format!("delete from {table} where ride_id in (select ride_id from temp.erased_ride)");
        run(&sql, params![])?;
    }
    run(
        "create or replace temp table recounted_rider as select distinct rider_id from temp.erased_ride
         where rider_id is not null",
        params![],
    )?;
    connection
        .execute_batch(include_str!("sql/recount_riders.sql"))
        .doing(doing)?;
    // What brings rides under way back has their riders in it. It is made again, from the log.
    run("update ops.checkpoint set state = ''::blob", params![])?;
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
    for table in ["erased_ride", "erased_message"] {
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

/// Rides with the days they ended in; none while they are under way.
fn erased_rides(connection: &Connection) -> duckdb::Result<HashMap<Uuid, Vec<NaiveDate>>> {
    let sql = "select cast(ride_id as varchar), cast(business_day as varchar) from temp.erased_ride";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut rides: HashMap<Uuid, Vec<NaiveDate>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let days = rides.entry(parsed(row, 0)?).or_default();
        days.extend(
            row.get::<_, Option<String>>(1)?
                .and_then(|day| day.parse::<NaiveDate>().ok()),
        );
    }
    Ok(rides)
}

fn ride_days(connection: &Connection) -> duckdb::Result<Vec<(Uuid, NaiveDate)>> {
    let rides = erased_rides(connection)?;
    let mut of_days: Vec<_> = rides
        .into_iter()
        .flat_map(|(ride, days)| days.into_iter().map(move |day| (ride, day)))
        .collect();
    of_days.sort();
    Ok(of_days)
}

fn mails(connection: &Connection) -> duckdb::Result<Vec<Uuid>> {
    let sql = "select cast(message_id as varchar) from temp.erased_message where kind = 'heart_rate_alert' order by 1";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| parsed(row, 0))?.collect()
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
