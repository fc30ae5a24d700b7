//! What became of a stream's messages, and of the rides that they tell of.

use chrono::NaiveDate;
use duckdb::{Connection, Row, params};

use super::{Doing, Result, Store};
use crate::domain::batch::{Counts, Gap, StreamId};

/// Some rides by business day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RideDays {
    /// (day, rides, readings), oldest day first, of rides that are over.
    pub days: Vec<(NaiveDate, i64, i64)>,
    /// Rides without a header.
    pub partial: i64,
}

/// What became of the messages of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionAccount {
    /// The stream.
    pub stream: StreamId,
    /// The partition.
    pub partition: i32,
    /// How often each kind was met; see [`Counts::accounted_for`].
    pub counts: Counts,
    /// Offsets at which the log had no message: what transactions and log compaction leave.
    pub missing_offsets: i64,
    /// Messages that were gone before they could be read: not among `counts`.
    pub gaps: Vec<Gap>,
}

impl Store {
    /// Every stream that was ever read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn streams(&self) -> Result<Vec<StreamId>> {
        let doing = || "cannot read which streams there are".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare("select distinct source, topic from ops.stream")
            .doing(doing)?;
        let rows = statement
            .query_map([], |row| {
                Ok(StreamId {
                    source: row.get(0)?,
                    topic: row.get(1)?,
                })
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// What became of every message ever received, by partition, in one reading of the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn reconciliation(&self) -> Result<Vec<PartitionAccount>> {
        let doing = || "cannot read what became of the messages".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare(include_str!("sql/reconciliation.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map([], |row| {
                let stream = StreamId {
                    source: row.get(11)?,
                    topic: row.get(12)?,
                };
                Ok(PartitionAccount {
                    stream,
                    partition: row.get(13)?,
                    missing_offsets: row.get(14)?,
                    counts: counts(row)?,
                    gaps: Vec::new(),
                })
            })
            .doing(doing)?;
        let mut accounts: Vec<PartitionAccount> = rows.collect::<duckdb::Result<_>>().doing(doing)?;
        for account in &mut accounts {
            account.gaps = self.gaps(&account.stream)?;
            account.gaps.retain(|gap| gap.partition == account.partition);
        }
        Ok(accounts)
    }

    /// Everything a stream's messages were counted as, over its partitions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stream_counts(&self, stream: &StreamId) -> Result<Counts> {
        self.connection()?
            .query_row(
                include_str!("sql/stream_counts.sql"),
                params![stream.source, stream.topic],
                counts,
            )
            .doing(|| format!("cannot read the counts of `{}`", stream.topic))
    }

    /// What the buffer holds of the rides that `stream` told of, by business day.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ride_days(&self, stream: &StreamId) -> Result<RideDays> {
        let doing = || format!("cannot read which days the rides of `{}` belong to", stream.topic);
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/ride_days.sql")).doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic], |row| {
                let day: Option<String> = row.get(0)?;
                Ok((
                    day.and_then(|day| day.parse().ok()),
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .doing(doing)?;
        let mut found = RideDays::default();
        for row in rows {
            let (day, count, readings, partial) = row.doing(doing)?;
            found.partial += partial;
            found.days.extend(day.map(|day: NaiveDate| (day, count, readings)));
        }
        Ok(found)
    }
}

/// Adds to the counts of partitions, each for lines of a day; none is that of what was counted before days were told
/// apart.
pub(super) fn add_counts(
    connection: &Connection,
    stream: &StreamId,
    counts: &[(i32, Option<NaiveDate>, Counts)],
) -> Result<()> {
    let rows: Vec<String> = counts
        .iter()
        .map(|(partition, day, counts)| {
            let day = day.map_or_else(String::new, |day| day.to_string());
            let Counts {
                messages,
                ride_lines,
                telemetry_lines,
                user_data_lines,
                system_lines,
                marker_lines,
                duplicate_lines,
                tombstoned_lines,
                rejected_lines,
                readings,
                duplicate_readings,
            } = counts;
            format!(
                "{partition},{day},{messages},{ride_lines},{telemetry_lines},{user_data_lines},{system_lines},\
                 {marker_lines},{duplicate_lines},{tombstoned_lines},{rejected_lines},{readings},{duplicate_readings}"
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let parameters = params![stream.source, stream.topic, rows.join(";")];
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute(parameters);
    let doing = || format!("cannot count the messages of `{}`", stream.topic);
    if execute(include_str!("sql/add_counts.sql")).doing(doing)? < rows.len() {
        execute(include_str!("sql/insert_counts.sql")).doing(doing)?;
    }
    Ok(())
}

fn counts(row: &Row<'_>) -> duckdb::Result<Counts> {
    Ok(Counts {
        messages: row.get(0)?,
        ride_lines: row.get(1)?,
        telemetry_lines: row.get(2)?,
        user_data_lines: row.get(3)?,
        system_lines: row.get(4)?,
        marker_lines: row.get(5)?,
        duplicate_lines: row.get(6)?,
        tombstoned_lines: row.get(7)?,
        rejected_lines: row.get(8)?,
        readings: row.get(9)?,
        duplicate_readings: row.get(10)?,
    })
}
