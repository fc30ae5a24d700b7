//! Where everything stands: what `deloton status` shows, and what the gauges of `/metrics` are set from.

use std::{fs, path::Path};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Row;

use super::{
    DATABASE, Doing, Result, Store, disk,
    outbox::{self, StateCount},
    stream::PartitionAccount,
};

/// Where everything stands. The default is that of a data folder in which nothing has happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Every partition ever read, the one written last first.
    pub streams: Vec<StreamStatus>,
    /// Partitions of which messages were gone before they could be read.
    pub gaps: Vec<PartitionAccount>,
    /// Rides under way.
    pub open_rides: u64,
    /// Instant of the newest reading, on the log's clock.
    pub newest_reading_at: Option<DateTime<Utc>>,
    /// Rides in the buffer, open ones included.
    pub buffer_rides: u64,
    /// Readings in the buffer.
    pub buffer_readings: u64,
    /// Lines that could not be understood, ever: they are kept.
    pub rejected_lines: u64,
    /// Days in history; none before the first.
    pub sealed: Option<SealedDays>,
    /// Sealed days whose rides in the buffer are not those in history: they are to be sealed again.
    pub late_days: Vec<NaiveDate>,
    /// Erasures of which something is left somewhere.
    pub unfinished_erasures: u64,
    /// Messages in the send ledger, of states that have any.
    pub outbox: Vec<StateCount>,
    /// Addresses that unsubscribed from all notices.
    pub unsubscribed: u64,
    /// The database file with what was not merged into it yet.
    pub database_bytes: u64,
    /// The lake's files.
    pub lake_bytes: u64,
    /// Room left on the data folder's disk; none where there is no such folder.
    pub disk_free_bytes: Option<u64>,
    /// The newest finished backup in the data folder, by its folder's name.
    pub newest_backup: Option<String>,
}

/// Where a partition stands and what became of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// The cluster's id, a fresh id per start of the embedded broker, or the hash of a file.
    pub source: String,
    /// The topic, or the file's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Offset of the next message to be taken in.
    pub next_offset: i64,
    /// The newest stamp seen, on the log's clock.
    pub log_clock: Option<DateTime<Utc>>,
    /// When it was stored last.
    pub flushed_at: DateTime<Utc>,
    /// Messages taken in.
    pub messages: u64,
    /// Readings made of them.
    pub readings: u64,
    /// Readings of a second that was there already.
    pub duplicate_readings: u64,
    /// Lines of a second that was there already, of a reading or of half of one.
    pub duplicate_lines: u64,
    /// Lines that could not be understood.
    pub rejected_lines: u64,
}

/// The days in history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedDays {
    /// The oldest.
    pub first: NaiveDate,
    /// The newest.
    pub last: NaiveDate,
    /// How many.
    pub count: u64,
    /// Their rides.
    pub rides: u64,
}

impl Status {
    /// That of a data folder without a database, which may not exist either.
    #[must_use]
    pub fn without_database(data_dir: &Path) -> Self {
        Status {
            disk_free_bytes: disk::free_bytes(data_dir).ok(),
            ..Status::default()
        }
    }
}

impl Store {
    /// Where everything stands.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn status(&self) -> Result<Status> {
        let connection = self.connection()?;
        let doing = || "cannot read where everything stands".to_owned();
        let mut statement = connection
            .prepare(include_str!("sql/status_streams.sql"))
            .doing(doing)?;
        let streams = statement
            .query_map([], stream)
            .and_then(Iterator::collect)
            .doing(doing)?;
        let mut status = connection
            .query_row(include_str!("sql/status_figures.sql"), [], figures)
            .doing(doing)?;
        status.streams = streams;
        status.gaps = self.reconciliation()?;
        status.gaps.retain(|account| !account.gaps.is_empty());
        status.late_days = self.late_days()?.into_iter().collect();
        status.outbox = outbox::counts(&connection, None)?;
        let database = self.data_dir().join(DATABASE);
        status.database_bytes = disk::file_size(&database) + disk::file_size(&database.with_extension("duckdb.wal"));
        status.disk_free_bytes = disk::free_bytes(self.data_dir()).ok();
        status.newest_backup = newest_backup(&self.backups_folder());
        Ok(status)
    }
}

/// Names begin with the instant, so the last by name is the newest. One under way is hidden.
fn newest_backup(folder: &Path) -> Option<String> {
    let names = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).max()
}

fn figures(row: &Row<'_>) -> duckdb::Result<Status> {
    let days: (Option<NaiveDate>, Option<NaiveDate>) = (day(row, 6)?, day(row, 7)?);
    Ok(Status {
        open_rides: row.get(0)?,
        newest_reading_at: instant(row, 1)?,
        buffer_rides: row.get(2)?,
        buffer_readings: row.get(3)?,
        rejected_lines: row.get(4)?,
        sealed: match days {
            (Some(first), Some(last)) => Some(SealedDays {
                first,
                last,
                count: row.get(5)?,
                rides: row.get(8)?,
            }),
            _ => None,
        },
        lake_bytes: row.get(9)?,
        unsubscribed: row.get(10)?,
        unfinished_erasures: row.get(11)?,
        ..Status::default()
    })
}

fn stream(row: &Row<'_>) -> duckdb::Result<StreamStatus> {
    Ok(StreamStatus {
        source: row.get(0)?,
        topic: row.get(1)?,
        partition: row.get(2)?,
        next_offset: row.get(3)?,
        log_clock: instant(row, 4)?,
        flushed_at: instant(row, 5)?.unwrap_or_default(),
        messages: row.get(6)?,
        readings: row.get(7)?,
        duplicate_readings: row.get(8)?,
        duplicate_lines: row.get(9)?,
        rejected_lines: row.get(10)?,
    })
}

fn instant(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .and_then(DateTime::from_timestamp_micros))
}

fn day(row: &Row<'_>, column: usize) -> duckdb::Result<Option<NaiveDate>> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|day| day.parse().ok()))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        domain::ride::EndReason,
        store::fixture::{Told, at, open, ride},
    };

    #[test]
    fn everything_that_happened_is_counted_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let empty = store.status().unwrap();
        assert!(empty.disk_free_bytes.is_some_and(|bytes| bytes > 0) && empty.database_bytes > 0);
        let nothing = Status {
            database_bytes: 0,
            disk_free_bytes: None,
            ..empty
        };
        assert_eq!(nothing, Status::default());

        ride(&store, "2026-01-04T09:00:00Z", 30);
        let monday = "2026-01-05".parse().unwrap();
        for day in ["2026-01-04".parse().unwrap(), monday] {
            store.seal(day).unwrap();
        }
        ride(&store, "2026-01-05T09:00:00Z", 10);
        Told::new("2026-01-06T10:00:00Z").flush(&store, 5, TimeDelta::zero(), None);
        store.backup(&store.backups_folder()).unwrap();
        let status = store.status().unwrap();
        assert_eq!(
            (status.open_rides, status.buffer_rides, status.buffer_readings),
            (1, 3, 45)
        );
        assert_eq!(status.newest_reading_at, Some(at("2026-01-06T10:00:05Z")));
        let sealed = status.sealed.unwrap();
        assert_eq!(
            (sealed.first.to_string(), sealed.last),
            ("2026-01-04".to_owned(), monday)
        );
        assert_eq!((sealed.count, sealed.rides), (2, 1));
        assert_eq!(status.late_days, [monday]);
        assert_eq!(status.newest_backup.as_deref(), Some("2026-01-10T12-00-00Z"));
        assert!(status.lake_bytes > 0);
        let [stream] = status.streams.as_slice() else {
            panic!("{:?}", status.streams)
        };
        assert_eq!(
            (stream.partition, stream.next_offset, stream.messages, stream.readings),
            (0, 10, 90, 45)
        );
    }

    #[test]
    fn the_newest_reading_is_known_when_the_buffer_holds_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        Told::new("2026-01-04T09:00:00Z").flush(&store, 5, TimeDelta::zero(), Some(EndReason::Idle));
        store.seal("2026-01-04".parse().unwrap()).unwrap();
        store.prune("2026-01-04".parse().unwrap()).unwrap();
        let status = store.status().unwrap();
        assert_eq!(
            (status.buffer_readings, status.newest_reading_at),
            (0, Some(at("2026-01-04T09:00:05Z")))
        );
    }
}
