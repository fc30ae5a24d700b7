//! What the report reads: rows of the daily tables, as they are.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{OptionalExt, Params, Row};

use super::{Doing, Lease, Result, Store, StoreError, daily_table::date};
use crate::domain::report::{HeadlineKey, Lines, Quality};

/// One row of `historical.daily_totals`. Units are in the names; means and medians are over rides.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// The business day.
    pub day: NaiveDate,
    /// Rides that ended in it.
    pub rides: i64,
    /// Distinct riders.
    pub riders: i64,
    /// Riders whose first ride ever is among them.
    pub new_riders: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
    /// Mean over rides of the ride's mean.
    pub power_watts_mean: Option<f64>,
    /// Mean over rides of the ride's mean.
    pub heart_rate_bpm_mean: Option<f64>,
    /// The longest ride.
    pub longest_ride_seconds: Option<i64>,
    /// The highest of any second.
    pub power_watts_max: Option<f64>,
    /// Median over rides of the ride's mean.
    pub power_watts_median: Option<f64>,
    /// Median over rides of the ride's mean.
    pub heart_rate_bpm_median: Option<f64>,
    /// Rides that have a mean power.
    pub rides_with_power: i64,
    /// Rides that have a mean heart rate.
    pub rides_with_heart_rate: i64,
}

/// One row of `historical.daily_by_hour`.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunInHour {
    /// The business day, which is the one the rides ended in.
    pub day: NaiveDate,
    /// First instant of the UTC hour.
    pub starts_at: DateTime<Utc>,
    /// Rides by the quarter of that hour in which they began.
    pub rides: [i64; 4],
}

/// One group of the day, before any is suppressed.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupTotals {
    /// Its name.
    pub name: String,
    /// Rides.
    pub rides: i64,
    /// Distinct riders.
    pub riders: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
}

/// The breakdowns of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakdown {
    /// By gender.
    Gender,
    /// By age band.
    AgeBand,
    /// By town.
    City,
    /// By how the rider came to us.
    Channel,
    /// By the postcode area of the rider's address.
    PostcodeArea,
    /// Time by heart-rate zone; the rides of a zone are those with any second in it.
    HeartRateZone,
}

/// What rides are counted by in bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binned {
    /// Mean power, 20 W a bin.
    Power,
    /// Mean heart rate, 5 bpm a bin.
    HeartRate,
}

impl Breakdown {
    fn table_and_sql(self) -> (&'static str, &'static str) {
        match self {
            Breakdown::Gender => ("daily_by_gender", include_str!("sql/report_by_gender.sql")),
            Breakdown::AgeBand => ("daily_by_age_band", include_str!("sql/report_by_age_band.sql")),
            Breakdown::City => ("daily_by_city", include_str!("sql/report_by_city.sql")),
            Breakdown::Channel => ("daily_by_channel", include_str!("sql/report_by_channel.sql")),
            Breakdown::PostcodeArea => (
                "daily_by_postcode_area",
                include_str!("sql/report_by_postcode_area.sql"),
            ),
            Breakdown::HeartRateZone => (
                "daily_heart_rate_zones",
                include_str!("sql/report_heart_rate_zones.sql"),
            ),
        }
    }
}

impl Binned {
    fn table_and_sql(self) -> (&'static str, &'static str) {
        match self {
            Binned::Power => ("daily_power_histogram", include_str!("sql/report_power_histogram.sql")),
            Binned::HeartRate => (
                "daily_heart_rate_histogram",
                include_str!("sql/report_heart_rate_histogram.sql"),
            ),
        }
    }
}

/// Reads daily tables for the report of one day, all as of the same instant.
pub struct ReportReader {
    connection: Lease,
    day: NaiveDate,
    tables: Vec<String>,
}

impl ReportReader {
    /// A reader for the report of `day`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn new(store: &Store, day: NaiveDate) -> Result<Self> {
        let connection = store.connection()?;
        // Ended by the lease: a run that fills a table meanwhile is in the report as a whole or not at all.
        connection
            .execute_batch("begin")
            .doing(|| format!("failed to begin reading for the report of {day}"))?;
        let mut reader = ReportReader {
            connection,
            day,
            tables: Vec::new(),
        };
        reader.tables = reader.rows(
            "tables of `historical`",
            include_str!("sql/report_tables.sql"),
            [],
            |row| row.get(0),
        )?;
        Ok(reader)
    }

    /// The totals of every day from `first` to `last` that has some, oldest first.
    ///
    /// # Errors
    /// The table is not there, or lacks a column; none of the following is repeated below.
    pub fn totals(&self, first: NaiveDate, last: NaiveDate) -> Result<Vec<Totals>> {
        let sql = include_str!("sql/report_totals.sql");
        self.rows_of("daily_totals", sql, [date(first), date(last)], |row| {
            Ok(Totals {
                day: day_at(row, 0)?,
                rides: row.get(1)?,
                riders: row.get(2)?,
                new_riders: row.get(3)?,
                duration_seconds: row.get(4)?,
                energy_kilojoules: row.get(5)?,
                power_watts_mean: row.get(6)?,
                heart_rate_bpm_mean: row.get(7)?,
                longest_ride_seconds: row.get(8)?,
                power_watts_max: row.get(9)?,
                power_watts_median: row.get(10)?,
                heart_rate_bpm_median: row.get(11)?,
                rides_with_power: row.get(12)?,
                rides_with_heart_rate: row.get(13)?,
            })
        })
    }

    /// How many riders rode from `first` to `last`, each counted once.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`].
    pub fn riders(&self, first: NaiveDate, last: NaiveDate) -> Result<i64> {
        let sql = include_str!("sql/report_riders.sql");
        let counted: Vec<i64> = self.rows_of("leaderboard", sql, [date(first), date(last)], |row| row.get(0))?;
        Ok(counted.into_iter().sum())
    }

    /// The hours in which rides of the days from `first` to `last` began, in order.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`].
    pub fn hours(&self, first: NaiveDate, last: NaiveDate) -> Result<Vec<BegunInHour>> {
        let sql = include_str!("sql/report_hours.sql");
        self.rows_of("daily_by_hour", sql, [date(first), date(last)], |row| {
            let micros = row.get(1)?;
            Ok(BegunInHour {
                day: day_at(row, 0)?,
                starts_at: DateTime::from_timestamp_micros(micros)
                    .ok_or(duckdb::Error::IntegralValueOutOfRange(1, i128::from(micros)))?,
                rides: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
            })
        })
    }

    /// The groups of the day that have rides, most rides first.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`].
    pub fn groups(&self, breakdown: Breakdown) -> Result<Vec<GroupTotals>> {
        let (table, sql) = breakdown.table_and_sql();
        self.rows_of(table, sql, [date(self.day)], group_of)
    }

    /// The groups of age and gender together that have rides: the age band, and the gender with its figures.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`].
    pub fn ages_and_genders(&self) -> Result<Vec<(String, GroupTotals)>> {
        let sql = include_str!("sql/report_by_age_and_gender.sql");
        self.rows_of("daily_by_age_and_gender", sql, [date(self.day)], |row| {
            Ok((row.get(5)?, group_of(row)?))
        })
    }

    /// The day's bins that have rides: lower edge and rides, lowest first.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`].
    pub fn bins(&self, binned: Binned) -> Result<Vec<(i64, i64)>> {
        let (table, sql) = binned.table_and_sql();
        self.rows_of(table, sql, [date(self.day)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The day's quality, with what became of its lines. How many alerts are many is not for the store to say.
    ///
    /// # Errors
    /// As for [`ReportReader::totals`]; also when the table was not filled for the day.
    pub fn quality(&self) -> Result<Quality> {
        let sql = include_str!("sql/report_quality.sql");
        let rows = self.rows_of("daily_quality", sql, [date(self.day)], |row| {
            Ok(Quality {
                readings: row.get(0)?,
                dropout_seconds: row.get(1)?,
                flagged_readings: row.get(2)?,
                partial_rides: row.get(3)?,
                idle_rides: row.get(4)?,
                alerts: row.get(5)?,
                lines: Lines {
                    received: row.get(6)?,
                    ride: row.get(7)?,
                    telemetry: row.get(8)?,
                    rider: row.get::<_, i64>(9)? + row.get::<_, i64>(10)?,
                    marker: row.get(11)?,
                    duplicate: row.get(12)?,
                    tombstoned: row.get(13)?,
                    rejected: row.get(14)?,
                },
                has_many_alerts: false,
            })
        })?;
        rows.into_iter().next().ok_or_else(|| self.missing("daily_quality"))
    }

    /// What to say where `table` has nothing of the day although it should.
    #[must_use]
    pub fn missing(&self, table: &str) -> StoreError {
        let day = self.day;
        StoreError::Inconsistent(format!(
            "the report of {day} needs `historical.{table}`, which has nothing for that day; fill it with `deloton run \
             {table} --day {day}`"
        ))
    }

    fn rows_of<T>(
        &self,
        table: &str,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>> {
        if !self.tables.iter().any(|existing| existing == table) {
            return Err(self.missing(table));
        }
        self.rows(&format!("`historical.{table}`"), sql, parameters, read)
    }

    fn rows<T>(
        &self,
        what: &str,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>> {
        let rows =
            || -> duckdb::Result<Vec<T>> { self.connection.prepare(sql)?.query_map(parameters, read)?.collect() };
        rows().doing(|| format!("failed to read {what} for the report of {}", self.day))
    }
}

fn group_of(row: &Row<'_>) -> duckdb::Result<GroupTotals> {
    Ok(GroupTotals {
        name: row.get(0)?,
        rides: row.get(1)?,
        riders: row.get(2)?,
        duration_seconds: row.get(3)?,
        energy_kilojoules: row.get(4)?,
    })
}

/// How often `day` was sealed with a change, and when last; none where it was not.
///
/// # Errors
/// The database cannot be read.
pub fn sealing(store: &Store, day: NaiveDate) -> Result<Option<(i64, DateTime<Utc>)>> {
    let connection = store.connection()?;
    let found = connection.query_row(include_str!("sql/report_sealing.sql"), [date(day)], |row| {
        let micros = row.get(1)?;
        let sealed_at = DateTime::from_timestamp_micros(micros);
        Ok((
            row.get(0)?,
            sealed_at.ok_or(duckdb::Error::IntegralValueOutOfRange(1, i128::from(micros)))?,
        ))
    });
    found
        .optional()
        .doing(|| format!("failed to read how often {day} was sealed"))
}

/// What the first report of a day that was over said, and of which sealing it was.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstReport {
    /// How often the day had been sealed.
    pub seal_count: i64,
    /// Its headlines.
    pub figures: Figures,
}

/// The first report of `day`; none where none was kept.
///
/// # Errors
/// The database cannot be read.
pub fn first_report(store: &Store, day: NaiveDate) -> Result<Option<FirstReport>> {
    let connection = store.connection()?;
    let sql = "select seal_count, figures from ops.first_report where business_day = ?";
    let found = connection.query_row(sql, [date(day)], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
    let found = found
        .optional()
        .doing(|| format!("failed to read what the first report of {day} said"))?;
    Ok(found.map(|(seal_count, figures)| FirstReport {
        seal_count,
        // What an earlier version measured otherwise cannot have moved.
        figures: serde_json::from_str(&figures).unwrap_or_default(),
    }))
}

/// Keeps what the first report of `day` said; a later one changes nothing.
///
/// # Errors
/// The database cannot be written.
pub fn keep_first_report(store: &Store, day: NaiveDate, first: &FirstReport) -> Result<()> {
    let figures = serde_json::to_string(&first.figures).expect("names and numbers are JSON");
    let sql = "insert into ops.first_report values (?, ?, ?) on conflict do nothing";
    store
        .connection()?
        .execute(sql, duckdb::params![date(day), first.seal_count, figures])
        .map(drop)
        .doing(|| format!("failed to keep what the first report of {day} says"))
}

/// What a report says by its headlines.
pub type Figures = Vec<(HeadlineKey, Option<f64>)>;

/// The headlines of the report of `day` that was mailed last; none where none was.
///
/// # Errors
/// The database cannot be read.
pub fn mailed_report(store: &Store, day: NaiveDate) -> Result<Option<Figures>> {
    let connection = store.connection()?;
    let sql = "select figures from ops.mailed_report where business_day = ?";
    let found: Option<String> = connection
        .query_row(sql, [date(day)], |row| row.get(0))
        .optional()
        .doing(|| format!("failed to read what the mailed report of {day} said"))?;
    // What an earlier version measured otherwise cannot have moved.
    Ok(found.map(|figures| serde_json::from_str(&figures).unwrap_or_default()))
}

/// Keeps what the report of `day` says that is mailed now.
///
/// # Errors
/// The database cannot be written.
pub fn keep_mailed_report(store: &Store, day: NaiveDate, figures: &Figures) -> Result<()> {
    let figures = serde_json::to_string(figures).expect("names and numbers are JSON");
    store
        .connection()?
        .execute(
            "insert or replace into ops.mailed_report values (?, ?)",
            duckdb::params![date(day), figures],
        )
        .map(drop)
        .doing(|| format!("failed to keep what the mailed report of {day} says"))
}

fn day_at(row: &Row<'_>, column: usize) -> duckdb::Result<NaiveDate> {
    let days = row.get(column)?;
    NaiveDate::from_epoch_days(days).ok_or(duckdb::Error::IntegralValueOutOfRange(column, i128::from(days)))
}
