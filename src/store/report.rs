//! What the report reads: rows of the daily tables, as they are.

use std::collections::BTreeMap;

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

/// The breakdowns of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binned {
    /// Mean power, 20 W a bin.
    Power,
    /// Mean heart rate, 5 bpm a bin.
    HeartRate,
}

impl Breakdown {
    const ALL: [Breakdown; 6] = [
        Breakdown::Gender,
        Breakdown::AgeBand,
        Breakdown::City,
        Breakdown::Channel,
        Breakdown::PostcodeArea,
        Breakdown::HeartRateZone,
    ];

    /// The daily table that has it.
    #[must_use]
    pub fn table(self) -> &'static str {
        self.table_and_sql().0
    }

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
    const ALL: [Binned; 2] = [Binned::Power, Binned::HeartRate];

    /// The daily table that has it.
    #[must_use]
    pub fn table(self) -> &'static str {
        self.table_and_sql().0
    }

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

/// The breakdowns of some days, before any group is suppressed.
#[derive(Debug, Default)]
pub struct BreakdownRows {
    /// The groups that have rides, most rides first.
    pub groups: BTreeMap<Breakdown, ByDay<GroupTotals>>,
    /// The groups of age and gender together that have rides: the age band, and the gender with its figures.
    pub cells: ByDay<(String, GroupTotals)>,
    /// The bins that have rides: lower edge and rides.
    pub bins: BTreeMap<Binned, ByDay<(i64, i64)>>,
}

/// The daily table of age and gender together.
pub const BY_AGE_AND_GENDER: &str = "daily_by_age_and_gender";
const AGES_AND_GENDERS: (&str, &str) = (BY_AGE_AND_GENDER, include_str!("sql/report_by_age_and_gender.sql"));

/// What each day has.
pub type ByDay<T> = BTreeMap<NaiveDate, Vec<T>>;

/// Reads daily tables for reports, all as of the same instant.
pub struct ReportReader {
    connection: Lease,
    day: NaiveDate,
    tables: Vec<String>,
}

impl ReportReader {
    /// A reader for the report of `day`, or of several days of which it is the last.
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
        let mut totals = self.rows_of("daily_totals", sql, [date(first), date(last)], |row| {
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
        })?;
        totals.sort_by_key(|totals| totals.day);
        Ok(totals)
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

    /// The hours in which rides of the days from `first` to `last` began; none where the table is not there.
    ///
    /// # Errors
    /// The table lacks a column.
    pub fn hours(&self, first: NaiveDate, last: NaiveDate) -> Result<Vec<BegunInHour>> {
        let sql = include_str!("sql/report_hours.sql");
        if !self.has("daily_by_hour") {
            return Ok(Vec::new());
        }
        self.rows_of("daily_by_hour", sql, [date(first), date(last)], |row| {
            Ok(BegunInHour {
                day: day_at(row, 0)?,
                starts_at: instant_at(row, 1)?,
                rides: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
            })
        })
    }

    /// Every breakdown of each day from `first` to `last`. Of a table that is not there it has nothing.
    ///
    /// # Errors
    /// A table lacks a column.
    pub fn breakdowns(&self, first: NaiveDate, last: NaiveDate) -> Result<BreakdownRows> {
        let mut groups: BTreeMap<Breakdown, ByDay<GroupTotals>> = BTreeMap::new();
        let tables = Breakdown::ALL.map(|of| (of, of.table_and_sql()));
        for (of, day, group) in self.rows_of_all(&tables, first, last, group_of)? {
            groups.entry(of).or_default().entry(day).or_default().push(group);
        }
        let of_day = groups.values_mut().flat_map(|days| days.values_mut());
        of_day.for_each(|groups| groups.sort_by(|a, b| (b.rides, &a.name).cmp(&(a.rides, &b.name))));
        let mut cells: ByDay<(String, GroupTotals)> = ByDay::new();
        let tables = [((), AGES_AND_GENDERS)];
        let cell = |row: &Row<'_>| Ok((row.get(7)?, group_of(row)?));
        for ((), day, cell) in self.rows_of_all(&tables, first, last, cell)? {
            cells.entry(day).or_default().push(cell);
        }
        let mut bins: BTreeMap<Binned, ByDay<(i64, i64)>> = BTreeMap::new();
        let tables = Binned::ALL.map(|of| (of, of.table_and_sql()));
        let bin = |row: &Row<'_>| Ok((row.get(2)?, row.get(3)?));
        for (of, day, bin) in self.rows_of_all(&tables, first, last, bin)? {
            bins.entry(of).or_default().entry(day).or_default().push(bin);
        }
        Ok(BreakdownRows { groups, cells, bins })
    }

    /// The rows of those of the tables that are there, of each day from `first` to `last`: of which table, of which day,
    /// and what `read` makes of the row. One question for all: to plan one takes longer than to read what it asks for.
    fn rows_of_all<K: Copy, T>(
        &self,
        tables: &[(K, (&str, &str))],
        first: NaiveDate,
        last: NaiveDate,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<(K, NaiveDate, T)>> {
        let parts: Vec<String> = tables
            .iter()
            .enumerate()
            .filter(|(_, (_, (table, _)))| self.has(table))
            .map(|(place, (_, (_, sql)))| format!("select {place}, * from ({sql})"))
            .collect();
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = tables
            .iter()
            .map(|(_, (table, _))| format!("`historical.{table}`"))
            .collect();
        let sql = parts.join("\nunion all\n");
        self.rows(&names.join(", "), &sql, [date(first), date(last)], |row| {
            Ok((tables[row.get::<_, usize>(0)?].0, day_at(row, 1)?, read(row)?))
        })
    }

    /// The quality of each day from `first` to `last` that the table was filled for, with what became of its lines. How many
    /// alerts are many is not for the store to say.
    ///
    /// # Errors
    /// The table lacks a column.
    pub fn quality(&self, first: NaiveDate, last: NaiveDate) -> Result<BTreeMap<NaiveDate, Quality>> {
        let sql = include_str!("sql/report_quality.sql");
        if !self.has("daily_quality") {
            return Ok(BTreeMap::new());
        }
        let days = self.rows_of("daily_quality", sql, [date(first), date(last)], |row| {
            let quality = Quality {
                readings: row.get(1)?,
                dropout_seconds: row.get(2)?,
                flagged_readings: row.get(3)?,
                partial_rides: row.get(4)?,
                idle_rides: row.get(5)?,
                alerts: row.get(6)?,
                lines: Lines {
                    received: row.get(7)?,
                    ride: row.get(8)?,
                    telemetry: row.get(9)?,
                    rider: row.get::<_, i64>(10)? + row.get::<_, i64>(11)?,
                    marker: row.get(12)?,
                    duplicate: row.get(13)?,
                    tombstoned: row.get(14)?,
                    rejected: row.get(15)?,
                },
                has_many_alerts: false,
            };
            Ok((day_at(row, 0)?, quality))
        })?;
        Ok(days.into_iter().collect())
    }

    /// How often each day from `first` to `last` was sealed with a change, and when last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn sealings(&self, first: NaiveDate, last: NaiveDate) -> Result<BTreeMap<NaiveDate, (i64, DateTime<Utc>)>> {
        let sql = include_str!("sql/report_sealings.sql");
        let sealings = self.rows("how often days were sealed", sql, [date(first), date(last)], |row| {
            Ok((day_at(row, 0)?, (row.get(1)?, instant_at(row, 2)?)))
        })?;
        Ok(sealings.into_iter().collect())
    }

    /// The first report of each day from `first` to `last` of which it was kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn first_reports(&self, first: NaiveDate, last: NaiveDate) -> Result<BTreeMap<NaiveDate, FirstReport>> {
        let sql = "select business_day, seal_count, figures from ops.first_report where business_day between ? and ?";
        let reports = self.rows("what first reports said", sql, [date(first), date(last)], |row| {
            let first = FirstReport {
                seal_count: row.get(1)?,
                // What an earlier version measured otherwise cannot have moved.
                figures: serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default(),
            };
            Ok((day_at(row, 0)?, first))
        })?;
        Ok(reports.into_iter().collect())
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|existing| existing == table)
    }

    fn rows_of<T>(
        &self,
        table: &str,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>> {
        if !self.has(table) {
            return Err(missing(self.day, table, self.day));
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

/// The instant at `index`, which comes as microseconds.
fn instant_at(row: &Row<'_>, index: usize) -> duckdb::Result<DateTime<Utc>> {
    let micros = row.get(index)?;
    DateTime::from_timestamp_micros(micros).ok_or(duckdb::Error::IntegralValueOutOfRange(index, i128::from(micros)))
}

fn group_of(row: &Row<'_>) -> duckdb::Result<GroupTotals> {
    Ok(GroupTotals {
        name: row.get(2)?,
        rides: row.get(3)?,
        riders: row.get(4)?,
        duration_seconds: row.get(5)?,
        energy_kilojoules: row.get(6)?,
    })
}

/// What to say where the report of `of` needs what `table` has of `day`, and it has nothing.
#[must_use]
pub fn missing(of: NaiveDate, table: &str, day: NaiveDate) -> StoreError {
    let when = if day == of {
        "that day".to_owned()
    } else {
        day.to_string()
    };
    StoreError::Inconsistent(format!(
        "the report of {of} needs `historical.{table}`, which has nothing for {when}; fill it with `deloton run {table} \
         --day {day}`"
    ))
}

/// What the first report of a day that was over said, and of which sealing it was.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstReport {
    /// How often the day had been sealed.
    pub seal_count: i64,
    /// Its headlines.
    pub figures: Figures,
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
