//! Lines that were set aside, and what becomes of those that can be read by now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, Row, params};
use uuid::Uuid;

use super::{
    Doing, Result, Store,
    buffer::{append_readings, append_riders, replace_rides, stored_readings},
    compact, erasure, lock,
    ride_end::Announcer,
    ride_source,
    stream::add_counts,
    value::{listed, numbers, parsed},
};
use crate::domain::{
    batch::{Begun, Counts, Replayed, StreamId},
    day::DayRule,
    erasure::Tombstones,
    event::LogInstant,
    ride::{EndReason, Reading, Ride, Totals},
    rider::Rider,
};

/// Lines that are replayed in one transaction hold at most this many bytes, and are at most so many.
const CHUNK_BYTES: i64 = 64 << 20;
const CHUNK_LINES: i64 = 20_000;

/// A line that was set aside, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The topic, or the file's name.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// The bike it came from; not known of lines that an older program set aside.
    pub bike_serial: Option<String>,
}

/// Which rejected lines.
#[derive(Debug, Clone, Default)]
pub struct RejectedFilter {
    /// Only those of this topic or file.
    pub topic: Option<String>,
    /// Only those that a list shows after the one received at that instant (microseconds), of that partition and offset.
    pub before: Option<(i64, i32, i64)>,
}

/// The rejected lines of one bike in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedGroup {
    /// Their stream.
    pub stream: StreamId,
    /// Their partition.
    pub partition: i32,
    /// Their bike, where it is known.
    pub bike_serial: Option<String>,
}

/// A rejected line, to be read once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRaw {
    /// Its offset.
    pub offset: i64,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// When it was written, where its message said so.
    pub written_at: Option<LogInstant>,
    /// When it was received.
    pub received_at: LogInstant,
    /// The day it was counted for, where that is known.
    pub business_day: Option<NaiveDate>,
}

/// What a replay makes of lines.
#[derive(Debug, Default)]
pub struct Placed {
    /// Rides that changed or were not there, each with all its readings.
    pub rides: Vec<(Ride, Vec<Reading>)>,
    /// Riders as headers described them.
    pub riders: Vec<(Rider, LogInstant)>,
    /// How the lines that are in place now are accounted for, by their days.
    pub counts: BTreeMap<NaiveDate, Counts>,
    /// How many of them were set aside for each day.
    pub set_aside: BTreeMap<Option<NaiveDate>, i64>,
    /// See [`Replayed::completed_readings`].
    pub completed_readings: i64,
    /// Offsets of the lines that are in place now.
    pub offsets: Vec<i64>,
    /// Offsets of the others, and why.
    pub refused: Vec<(i64, String)>,
}

impl Placed {
    /// Leaves out what was erased. Of an erased ride nothing is stored, so its readings are of these lines; but for one whose
    /// rider was not known until now: what was stored of it goes too, and counts as deleted.
    fn leave_out(&mut self, tombstones: &Tombstones, day_rule: &DayRule) {
        let is_erased = |ride: &Ride| tombstones.cover(ride.ride_id, ride.rider_id, ride.started_at);
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        for (_, readings) in self.rides.iter().filter(|(ride, _)| is_erased(ride)) {
            for reading in readings {
                let counts = self.counts.entry(day_rule.day_of(at(reading.at))).or_default();
                counts.take_for_tombstoned(reading);
            }
        }
        self.rides.retain(|(ride, _)| !is_erased(ride));
        self.riders
            .retain(|(rider, begun_at)| !tombstones.cover_header(rider.rider_id, at(*begun_at)));
    }
}

/// What is stored at the moment of a replay.
pub struct Shelf<'a> {
    connection: &'a Connection,
    group: &'a RejectedGroup,
}

impl Shelf<'_> {
    /// The rides of a bike that were under way between two instants, by their start. Their figures are still to be made
    /// from their readings.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rides(&self, bike_serial: &str, from: LogInstant, to: LogInstant) -> Result<Vec<Ride>> {
        self.read_rides(params![bike_serial, from, to, ""])
    }

    /// Those of the rides that are stored, in the same way.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rides_called(&self, ids: &[Uuid]) -> Result<Vec<Ride>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let nothing: Option<&str> = None;
        self.read_rides(params![nothing, 0_i64, 0_i64, listed(ids)])
    }

    fn read_rides(&self, which: &[&dyn duckdb::ToSql]) -> Result<Vec<Ride>> {
        let doing = || "cannot read the rides that rejected lines belong to".to_owned();
        let mut statement = self
            .connection
            .prepare(include_str!("sql/replay_rides.sql"))
            .doing(doing)?;
        let rows = statement.query_map(which, ride).doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// All stored readings of a ride.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn readings(&self, ride: Uuid) -> Result<Vec<Reading>> {
        stored_readings(self.connection, &HashSet::from([ride]))
    }

    /// The one bike that the partition told of, if it is but one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn only_bike(&self) -> Result<Option<String>> {
        let RejectedGroup { stream, partition, .. } = self.group;
        self.connection
            .query_row(
                include_str!("sql/replay_only_bike.sql"),
                params![stream.source, stream.topic, partition],
                |row| row.get(0),
            )
            .doing(|| format!("cannot read which bikes partition {partition} told of"))
    }
}

impl Store {
    /// Lines that were set aside, the newest first, `limit` at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rejected(&self, filter: &RejectedFilter, limit: u32) -> Result<Vec<Rejected>> {
        let doing = || "cannot read the rejected lines".to_owned();
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/rejected_list.sql")).doing(doing)?;
        let before = filter.before;
        let rows = statement
            .query_map(
                params![
                    filter.topic,
                    before.map(|(at, ..)| at),
                    before.map(|(_, partition, _)| partition),
                    before.map(|(.., offset)| offset),
                    limit
                ],
                rejected,
            )
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// The lines set aside at an offset, of every topic and file, with their bytes.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rejected_at(&self, partition: i32, offset: i64) -> Result<Vec<(Rejected, Vec<u8>)>> {
        let doing = || format!("cannot read the rejected line {offset} of partition {partition}");
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/rejected_raw.sql")).doing(doing)?;
        let rows = statement
            .query_map(params![partition, offset], |row| Ok((rejected(row)?, row.get(6)?)))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Whose lines were set aside; only those of `topic` where it is given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rejected_groups(&self, topic: Option<&str>) -> Result<Vec<RejectedGroup>> {
        let doing = || "cannot read whose lines were set aside".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare(include_str!("sql/rejected_groups.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map([topic], |row| {
                Ok(RejectedGroup {
                    stream: StreamId {
                        source: row.get(0)?,
                        topic: row.get(1)?,
                    },
                    partition: row.get(2)?,
                    bike_serial: row.get(3)?,
                })
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Puts a bike's next rejected lines after an offset where `place` says that they belong, in one transaction: readings,
    /// rides, riders, and the counts of their stream. Answers what came of it and the last offset looked at; nothing where
    /// there are no more.
    ///
    /// # Errors
    /// When the transaction fails; everything is as it was then.
    pub fn replay_rejected(
        &self,
        group: &RejectedGroup,
        after: i64,
        day_rule: &DayRule,
        place: impl Fn(&[RejectedRaw], &Shelf<'_>) -> Result<Placed>,
    ) -> Result<Option<(i64, Replayed)>> {
        // Held to the end: a flush must know which rides have got more readings than it told of.
        let mut shared = lock(&self.inner.shared_rides);
        let tombstones = self.tombstones();
        let doing = || format!("cannot replay the rejected lines of `{}`", group.stream.topic);
        let done = self.transaction(doing, |connection| {
            let lines = rejected_lines(connection, group, after)?;
            let Some(last) = lines.last().map(|line| line.offset) else {
                return Ok(None);
            };
            let mut placed = place(&lines, &Shelf { connection, group })?;
            let erased = tombstones.found_in(placed.rides.iter().map(|(ride, _)| ride));
            erasure::bury(connection, &erased)?;
            ride_source::remove_rides(connection, &erased)?;
            placed.leave_out(&tombstones, day_rule);
            let (replayed, rides) = put(connection, group, placed, &shared, self.announcer())?;
            Ok(Some((last, replayed, rides, erased)))
        })?;
        Ok(done.map(|(last, replayed, rides, erased)| {
            shared.extend(rides);
            self.bury(&erased);
            (last, replayed)
        }))
    }
}

/// Writes what was placed; answers also which rides that were.
fn put(
    connection: &Connection,
    group: &RejectedGroup,
    placed: Placed,
    shared: &HashSet<Uuid>,
    announcer: Announcer<'_>,
) -> Result<(Replayed, HashSet<Uuid>)> {
    let ids: HashSet<Uuid> = placed.rides.iter().map(|(ride, _)| ride.ride_id).collect();
    let mut days = BTreeSet::new();
    if !ids.is_empty() {
        days.extend(mark_changed(connection, &ids)?);
        connection
            .execute(include_str!("sql/delete_readings.sql"), [listed(&ids)])
            .doing(|| format!("cannot replace the readings of {} rides", ids.len()))?;
        append_readings(connection, placed.rides.iter().flat_map(|(_, readings)| readings))?;
        let rows: Vec<Ride> = placed.rides.iter().map(|(ride, _)| ride.clone()).collect();
        replace_rides(connection, &rows, ids.iter())?;
        announcer.announce(connection, &rows)?;
        days.extend(mark_changed(connection, &ids)?);
        let begun: Vec<Begun> = ids
            .difference(shared)
            .map(|&ride_id| Begun {
                ride_id,
                partition: group.partition,
                is_again: true,
            })
            .collect();
        ride_source::append(connection, &group.stream, &begun, &ids)?;
    }
    append_riders(connection, placed.riders.iter())?;
    let mut counts = Counts::default();
    placed.counts.values().for_each(|day| counts.add(day));
    let replayed = Replayed {
        counts,
        completed_readings: placed.completed_readings,
        refused: i64::try_from(placed.refused.len()).unwrap_or(i64::MAX),
        days,
    };
    settle(connection, group, &placed)?;
    Ok((replayed, ids))
}

/// Marks the sealed days that the rides are or were in; answers which.
fn mark_changed(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<NaiveDate>> {
    let doing = || "cannot mark which sealed days have changed".to_owned();
    let listed = listed(rides);
    let mut statement = connection.prepare(include_str!("sql/changed_days.sql")).doing(doing)?;
    let days: Vec<String> = statement
        .query_map([&listed], |row| row.get(0))
        .and_then(Iterator::collect)
        .doing(doing)?;
    let days: Vec<NaiveDate> = days.iter().filter_map(|day| day.parse().ok()).collect();
    days.iter()
        .try_for_each(|&day| compact::mark_changed(connection, day))?;
    Ok(days)
}

/// Takes the lines that are in place off the list, and counts them as what they are.
fn settle(connection: &Connection, group: &RejectedGroup, placed: &Placed) -> Result<()> {
    let RejectedGroup { stream, partition, .. } = group;
    let doing = || format!("cannot account for the replayed lines of `{}`", stream.topic);
    if !placed.offsets.is_empty() {
        connection
            .execute(
                include_str!("sql/delete_rejected.sql"),
                params![stream.source, stream.topic, partition, numbers(&placed.offsets)],
            )
            .doing(doing)?;
        let taken: Vec<_> = placed
            .set_aside
            .iter()
            .map(|(&day, &lines)| {
                let counts = Counts {
                    messages: -lines,
                    rejected_lines: -lines,
                    ..Counts::default()
                };
                (*partition, day, counts)
            })
            .collect();
        let put = placed
            .counts
            .iter()
            .map(|(&day, &counts)| (*partition, Some(day), counts));
        add_counts(connection, stream, &taken)?;
        add_counts(connection, stream, &put.collect::<Vec<_>>())?;
    }
    let mut by_reason: HashMap<&str, Vec<i64>> = HashMap::new();
    for (offset, reason) in &placed.refused {
        by_reason.entry(reason).or_default().push(*offset);
    }
    for (reason, offsets) in by_reason {
        connection
            .execute(
                include_str!("sql/refuse_rejected.sql"),
                params![stream.source, stream.topic, partition, numbers(&offsets), reason],
            )
            .doing(doing)?;
    }
    Ok(())
}

fn rejected_lines(connection: &Connection, group: &RejectedGroup, after: i64) -> Result<Vec<RejectedRaw>> {
    let RejectedGroup {
        stream,
        partition,
        bike_serial,
    } = group;
    let doing = || format!("cannot read the rejected lines of `{}`", stream.topic);
    let mut statement = connection
        .prepare(include_str!("sql/rejected_chunk.sql"))
        .doing(doing)?;
    let parameters = params![
        stream.source,
        stream.topic,
        partition,
        bike_serial,
        after,
        CHUNK_BYTES,
        CHUNK_LINES
    ];
    let rows = statement
        .query_map(parameters, |row| {
            Ok(RejectedRaw {
                offset: row.get(0)?,
                raw: row.get(1)?,
                written_at: row.get(2)?,
                received_at: row.get(3)?,
                business_day: row.get::<_, Option<String>>(4)?.and_then(|day| day.parse().ok()),
            })
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

fn rejected(row: &Row<'_>) -> duckdb::Result<Rejected> {
    Ok(Rejected {
        topic: row.get(0)?,
        partition: row.get(1)?,
        offset: row.get(2)?,
        received_at: DateTime::from_timestamp_micros(row.get(3)?).unwrap_or_default(),
        reason: row.get(4)?,
        bike_serial: row.get(5)?,
    })
}

fn ride(row: &Row<'_>) -> duckdb::Result<Ride> {
    let at = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ok(Ride {
        ride_id: parsed(row, 0)?,
        business_day: None,
        bike_serial: row.get(1)?,
        rider_id: row.get(2)?,
        started_at: at(row.get(3)?),
        ended_at: row.get::<_, Option<i64>>(4)?.map(at),
        end_reason: row
            .get::<_, Option<String>>(5)?
            .and_then(|name| EndReason::from_name(&name)),
        is_partial: row.get(6)?,
        totals: Totals::default(),
        alert_count: row.get(7)?,
    })
}
