//! Rows for analysts, as files: rides with their riders, minutes, workouts and the daily tables; pseudonyms for those who are
//! in them, unless personal columns are asked for.
//!
//! What a day's rows are joined with is staged once, in a database in memory that every connection sees; then any number of
//! workers write days at a time.

mod local_time;
mod select;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path, sync::Mutex};

use chrono::NaiveDate;
use chrono_tz::Tz;

use self::select::Select;
use super::{Doing, Lease, Result, Store, daily_table::date, lock, table::ColumnType, value::parsed, views::quoted};

/// A table that analysts get.
#[derive(Debug, Clone)]
pub struct ExtractTable {
    /// `rides`, and `daily/rides` for those of days that are not sealed; of a daily table its own name.
    pub name: String,
    /// Which rows are written together.
    pub rows: Rows,
    /// Whether it is made by a SELECT of `jobs/`, under the same name.
    pub is_daily_table: bool,
    /// Its columns in their order.
    pub columns: Vec<(String, ColumnType)>,
    select: Select,
}

/// Which rows of a table are written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// All: they are few.
    Whole,
    /// Those of a business day: there are as many as rides or riders.
    ByDay,
    /// Those of rides that are over, but whose day is not sealed.
    Unsealed,
}

/// Whose columns are written.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'c> {
    /// The zone of local times.
    pub timezone: Tz,
    /// Names of columns that tell of a person.
    pub personal: &'c [&'c str],
    /// Whether these are written; those of pseudonyms are always.
    pub include_personal: bool,
}

/// Work on an extract. One at a time for a store; whoever begins a second one takes from the first what it works with.
pub struct Extracting {
    store: Store,
    timezone: Tz,
    tables: Vec<ExtractTable>,
    /// What stages riders and bikes.
    stage: String,
    /// What is staged is gone with the last connection of the database: this one stays.
    staged: Mutex<Worker>,
}

impl Store {
    /// Sealed days, each with what tells one sealing of it from another.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sealed_versions(&self) -> Result<BTreeMap<NaiveDate, String>> {
        let doing = || "cannot read which days are sealed".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare(include_str!("../sql/extract_days.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map([], |row| Ok((parsed(row, 0)?, row.get(1)?)))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Begins an extract.
    ///
    /// # Errors
    /// When the database cannot be read, or has no room for what is staged.
    pub fn begin_extract(&self, columns: Columns<'_>) -> Result<Extracting> {
        let staged = Worker::new(self)?;
        staged
            .connection
            .execute_batch(include_str!("../sql/extract_begin.sql"))
            .doing(|| "cannot make room for an extract".to_owned())?;
        let mut extracting = Extracting {
            store: self.clone(),
            timezone: columns.timezone,
            tables: Vec::new(),
            stage: select::with_personal(include_str!("../sql/extract_stage.sql"), columns.include_personal),
            staged: Mutex::new(staged),
        };
        extracting.stage(&[])?;
        let tables = select::tables(&lock(&extracting.staged), &columns)?;
        extracting.tables = tables;
        Ok(extracting)
    }
}

impl Extracting {
    /// The tables that there are.
    #[must_use]
    pub fn tables(&self) -> &[ExtractTable] {
        &self.tables
    }

    /// Gathers the riders and bikes of the rides of `days`, of which rows are to be written. Those of days that are not sealed
    /// are there from the beginning.
    ///
    /// # Errors
    /// When they cannot be read, or there is no room for them.
    pub fn stage(&self, days: &[NaiveDate]) -> Result<()> {
        let doing = || "cannot gather the riders for an extract".to_owned();
        let connection = &lock(&self.staged).connection;
        let mut insert = connection
            .prepare("insert into extracting.day values (?)")
            .doing(doing)?;
        for day in days {
            insert.execute([date(*day)]).doing(doing)?;
        }
        connection.execute_batch(&self.stage).doing(doing)
    }

    /// The days that a table has rows of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn days_of(&self, table: &ExtractTable) -> Result<Vec<NaiveDate>> {
        lock(&self.staged).days(&table.select.days())
    }

    /// Gives each worker one thread until the answer is dropped, and whoever else asks the database meanwhile: where there are
    /// more files than workers, that is a fifth less to do than taking turns at every statement.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn give_each_worker_a_thread(&self) -> Result<SharedOut<'_>> {
        lock(&self.staged)
            .connection
            .execute_batch("set threads = 1")
            .doing(|| "cannot share out threads for an extract".to_owned())?;
        Ok(SharedOut { extracting: self })
    }

    /// Somebody who writes files; any number of them may, each in a thread of its own.
    ///
    /// # Errors
    /// When there is no connection to be had.
    pub fn worker(&self) -> Result<Worker> {
        Worker::new(&self.store)
    }

    /// Gathers rows for `worker` to write, those of `day` where the table is written by the day; those that it had are gone.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn gather(&self, worker: &Worker, table: &ExtractTable, day: Option<NaiveDate>) -> Result<()> {
        let run = |sql: String| worker.run(&sql, &table.name);
        match (table.rows, day) {
            (Rows::ByDay, Some(day)) => run(table.select.of_day(day, self.timezone)),
            (Rows::Unsealed | Rows::ByDay, _) => {
                run(table.select.none())?;
                let days = worker.days(select::UNSEALED_DAYS)?;
                days.into_iter()
                    .try_for_each(|day| run(table.select.of_unsealed(day, self.timezone)))
            }
            (Rows::Whole, _) => run(table.select.of_all()),
        }
    }
}

impl Drop for Extracting {
    fn drop(&mut self) {
        lock(&self.staged).tidy_up("detach database if exists extracting");
    }
}

/// Each thread of the database is a worker's; all are everybody's again once this is dropped.
pub struct SharedOut<'e> {
    extracting: &'e Extracting,
}

impl Drop for SharedOut<'_> {
    fn drop(&mut self) {
        lock(&self.extracting.staged).tidy_up("reset threads");
    }
}

/// Writes rows into files.
pub struct Worker {
    connection: Lease,
}

impl Worker {
    fn new(store: &Store) -> Result<Self> {
        let connection = store.connection()?;
        let key = quoted(&store.pseudonyms().key_of("extracts"));
        connection
            // 108 bits in 18 bytes.
            .execute_batch(&format!(
                "set variable extract_key = left(to_base64(from_hex({key})), 18)"
            ))
            .doing(|| "cannot begin to extract".to_owned())?;
        Ok(Worker { connection })
    }

    /// Does what is done in any case: it is not what was cancelled.
    fn tidy_up(&mut self, sql: &str) {
        self.connection.interruptible.take();
        if let Err(error) = self.connection.execute_batch(sql) {
            tracing::warn!("after an extract, `{sql}` failed: {error}");
        }
    }

    fn run(&self, sql: &str, table: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .doing(|| format!("cannot gather the rows of `{table}` for an extract"))
    }

    fn days(&self, sql: &str) -> Result<Vec<NaiveDate>> {
        let doing = || "cannot read the days that are to be extracted".to_owned();
        let mut statement = self.connection.prepare(sql).doing(doing)?;
        let rows = statement.query_map([], |row| parsed(row, 0)).doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// What tells the rows that were gathered from others, whatever their order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        self.connection
            .query_row(
                "select concat_ws(' ', count(*), sum(hash(extracted)::hugeint)) from temp.extracted as extracted",
                [],
                |row| row.get(0),
            )
            .doing(|| "cannot compare what was extracted with what was extracted before".to_owned())
    }

    /// Writes the rows that were gathered, as CSV and as Parquet; answers how many they are.
    ///
    /// # Errors
    /// When a file cannot be written; part of it may be there.
    pub fn write(&self, table: &ExtractTable, csv: &Path, parquet: &Path) -> Result<u64> {
        let copy = |rows: &str, path: &Path, format: &str| {
            let to = quoted(&path.to_string_lossy());
            self.connection
                .execute_batch(&format!("copy ({rows}) to {to} ({format})"))
                .doing(|| format!("cannot write the rows of `{}` as `{}`", table.name, path.display()))
        };
        copy(
            "from temp.extracted",
            parquet,
            // Ids and instants do not repeat: no dictionary of them is begun that a file would not have.
            "format parquet, compression zstd, compression_level 1, dictionary_size_limit 4096",
        )?;
        copy(&select::as_text(table), csv, "format csv, header")?;
        self.connection
            .query_row("select count(*) from temp.extracted", [], |row| row.get(0))
            .doing(|| format!("cannot count the rows of `{}`", table.name))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Whoever has the connection next has nothing to do with these.
        self.tidy_up("drop table if exists temp.extracted; reset variable extract_key");
    }
}
