//! One flush: readings, rides, riders, alerts, rejected lines, offsets and what restores the open rides, in one
//! transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, params, types::Value};
use uuid::Uuid;

use super::{
    Doing, Result, Store,
    buffer::{StoredFacts, append_readings, append_riders, replace_rides, ride_facts, stored_readings},
    erasure, lock, outbox,
    ride_end::Announcer,
    ride_source,
    stream::add_counts,
    value::{self, listed, numbers, parsed},
};
use crate::domain::{
    batch::{Batch, Checkpoint, Counts, Position, StoredPosition, StreamId},
    day::DayRule,
    erasure::{Tombstones, WITHOUT_TEXT},
    event::LogInstant,
    heart_rate::{Alert, Direction},
    ride::{Reading, Ride, began},
    rider::Rider,
};

impl Store {
    /// Writes `batch` in one transaction. Of rides that another stream told of, or this one in an earlier life, only
    /// seconds that are not stored are added, and their rows are made from all their readings, by `day_rule`.
    ///
    /// # Errors
    /// When the transaction fails; nothing of the batch is in the store then.
    pub fn flush(&self, stream: &StreamId, batch: &Batch, day_rule: &DayRule) -> Result<()> {
        // Held to the end: of two writers that begin the same ride, the second has to see it stored by the first.
        let mut shared = lock(&self.inner.shared_rides);
        let doing = || {
            format!(
                "cannot write {} readings; is the disk of the data folder full?",
                batch.readings.len()
            )
        };
        let tombstones = self.tombstones();
        let erased = tombstones.found_in(&batch.rides);
        let found = self.transaction_on_rides(doing, |connection| {
            let flush = Flush {
                connection,
                stream,
                shared: &shared,
                tombstones: &tombstones,
                erased: &erased,
                day_rule,
                at: self.clock().now(),
                announcer: self.announcer(),
                now: value::timestamp(self.clock().now()),
            };
            flush.write(batch)
        });
        let given_up = batch.elsewhere.iter().map(|(ride_id, _)| ride_id);
        let changed = batch.rides.iter().map(|ride| &ride.ride_id).chain(given_up);
        self.inner.known_rides.forget(changed);
        shared.extend(found?);
        self.bury(&erased);
        Ok(())
    }

    /// How far a stream's partitions have been read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn positions(&self, stream: &StreamId) -> Result<Vec<StoredPosition>> {
        let connection = self.connection()?;
        let doing = || format!("cannot read the offsets of `{}`", stream.topic);
        let mut statement = connection
            .prepare(include_str!("sql/stream_positions.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic], |row| {
                let partition = row.get(0)?;
                let checkpoint = match row.get::<_, Option<Vec<u8>>>(5)? {
                    Some(state) => Some(Checkpoint {
                        partition,
                        next_offset: row.get(3)?,
                        replay_from: row.get(4)?,
                        state,
                    }),
                    None => None,
                };
                Ok(StoredPosition {
                    partition,
                    next_offset: row.get(1)?,
                    taken_over_until: row.get(2)?,
                    counted_until: row.get(6)?,
                    checkpoint,
                })
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Drops what would restore the open rides of streams that will never go on: those whose source begins with `prefix`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn drop_checkpoints(&self, prefix: &str) -> Result<()> {
        self.connection()?
            .execute("delete from ops.checkpoint where starts_with(source, ?)", [prefix])
            .map(drop)
            .doing(|| format!("cannot drop the open rides of `{prefix}…`"))
    }

    /// What the store holds of `rides`: (ride, readings, alerts).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ride_facts(&self, rides: &HashSet<Uuid>) -> Result<Vec<(Uuid, i32, i32)>> {
        ride_facts(&*self.connection()?, rides)
    }

    /// The heart-rate alerts that were raised in `rides`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn raised_alerts(&self, rides: &HashSet<Uuid>) -> Result<Vec<(Uuid, StoredAlert)>> {
        raised_alerts(&*self.connection()?, rides)
    }
}

/// What is added to a partition's counts, by business day.
type DayCounts = BTreeMap<NaiveDate, Counts>;

/// How counts are corrected by a reading that they have as new.
type Correct = fn(&mut Counts, &Reading);

struct Flush<'a> {
    connection: &'a Connection,
    stream: &'a StreamId,
    /// Rides of which the store holds more than this stream told, as found by earlier flushes.
    shared: &'a HashSet<Uuid>,
    tombstones: &'a Tombstones,
    /// Rides of erased riders that were not known to be.
    erased: &'a HashSet<Uuid>,
    day_rule: &'a DayRule,
    at: DateTime<Utc>,
    announcer: Announcer<'a>,
    now: Value,
}

impl Flush<'_> {
    /// Answers the rides begun by this batch that the store held before.
    fn write(&self, batch: &Batch) -> Result<HashSet<Uuid>> {
        let mut found = self.known(&batch.begun.iter().map(|begun| begun.ride_id).collect::<Vec<_>>())?;
        let elsewhere: HashMap<Uuid, usize> = batch
            .elsewhere
            .iter()
            .filter(|(ride, _)| !self.shared.contains(ride) && !found.contains(ride))
            .copied()
            .collect();
        let again = batch.begun.iter().filter(|begun| begun.is_again);
        found.extend(again.map(|begun| begun.ride_id));
        ride_source::drop_rides(self.connection, &elsewhere.keys().copied().collect())?;
        ride_source::append(self.connection, self.stream, &batch.begun, &found)?;
        let is_shared = |ride: &Uuid| self.shared.contains(ride) || found.contains(ride);
        let is_erased = |ride: &Uuid| self.tombstones.rides.contains(ride) || self.erased.contains(ride);
        let is_gone = |ride: &Uuid| is_erased(ride) || elsewhere.contains_key(ride) && !found.contains(ride);
        erasure::bury(self.connection, self.erased)?;
        ride_source::remove_rides(self.connection, self.erased)?;
        let stored = self.stored_seconds(batch, is_shared)?;
        let is_repeated = |reading: &Reading| {
            stored
                .get(&reading.ride_id)
                .is_some_and(|seconds| seconds.contains(&reading.second))
        };
        let is_elsewhere = |place: usize, reading: &Reading| {
            !elsewhere.is_empty() && elsewhere.get(&reading.ride_id).is_some_and(|&before| place < before)
        };
        let new = batch.readings.iter().enumerate();
        let new = new.filter(|(place, reading)| {
            !is_elsewhere(*place, reading) && !is_repeated(reading) && !is_erased(&reading.ride_id)
        });
        append_readings(self.connection, new.map(|(_, reading)| reading))?;
        self.append_alerts(batch.alerts.iter().filter(|alert| !is_gone(&alert.ride_id)))?;
        let begun = batch.begun.iter().map(|begun| begun.ride_id);
        let new: HashSet<Uuid> = begun.filter(|ride| !found.contains(ride)).collect();
        self.write_rides(
            batch.rides.iter().filter(|ride| !is_gone(&ride.ride_id)),
            &new,
            is_shared,
        )?;
        append_riders(
            self.connection,
            batch.riders.iter().filter(|header| !self.is_of_erased(header)),
        )?;
        self.append_rejected(batch)?;
        let corrections = self.corrections(batch.readings.iter().filter_map(|reading| {
            if is_erased(&reading.ride_id) {
                return Some((reading, Counts::take_for_tombstoned as Correct));
            }
            is_repeated(reading).then_some((reading, Counts::take_for_repeated as Correct))
        }))?;
        self.write_positions(&batch.positions, &corrections)?;
        // What was written down before something was erased may have it in it. Then it is made again, from the log.
        let is_older = batch.tombstones.as_ref() != self.tombstones;
        self.write_checkpoints(&batch.checkpoints, is_older)?;
        Ok(found)
    }

    /// Which of `rides` the store holds already.
    fn known(&self, rides: &[Uuid]) -> Result<HashSet<Uuid>> {
        let began = || rides.iter().filter_map(|&ride_id| began(ride_id));
        let Some((first, last)) = began().map(|(at, _)| at).min().zip(began().map(|(_, next)| next).max()) else {
            return Ok(HashSet::new());
        };
        let doing = || "cannot look up which rides are stored already".to_owned();
        let mut statement = self
            .connection
            .prepare_cached(include_str!("sql/known_rides.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map(
                params![listed(rides), first.timestamp_micros(), last.timestamp_micros()],
                |row| parsed(row, 0),
            )
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// The stored seconds of the batch's shared rides.
    fn stored_seconds(&self, batch: &Batch, is_shared: impl Fn(&Uuid) -> bool) -> Result<HashMap<Uuid, HashSet<i32>>> {
        let mut rides: Vec<Uuid> = batch.readings.iter().map(|reading| reading.ride_id).collect();
        rides.dedup();
        let rides: HashSet<Uuid> = rides.into_iter().filter(is_shared).collect();
        let mut seconds: HashMap<Uuid, HashSet<i32>> = HashMap::new();
        for reading in stored_readings(self.connection, &rides)? {
            seconds.entry(reading.ride_id).or_default().insert(reading.second);
        }
        Ok(seconds)
    }

    fn is_of_erased(&self, (rider, begun_at): &(Rider, LogInstant)) -> bool {
        let begun_at = DateTime::from_timestamp_micros(*begun_at).unwrap_or_default();
        self.tombstones.cover_header(rider.rider_id, begun_at)
    }

    /// What to add to the counts, by partition and day, because of what was counted as new although the store had it, or
    /// may not keep it.
    fn corrections<'r>(
        &self,
        readings: impl Iterator<Item = (&'r Reading, Correct)>,
    ) -> Result<HashMap<i32, DayCounts>> {
        let mut by_ride: HashMap<Uuid, DayCounts> = HashMap::new();
        for (reading, correct) in readings {
            let day = self
                .day_rule
                .day_of(DateTime::from_timestamp_micros(reading.at).unwrap_or_default());
            let days = by_ride.entry(reading.ride_id).or_default();
            correct(days.entry(day).or_default(), reading);
        }
        let mut by_partition: HashMap<i32, DayCounts> = HashMap::new();
        for (ride, partition) in ride_source::partitions(self.connection, self.stream, by_ride.keys())? {
            let days = by_partition.entry(partition).or_default();
            for (day, counts) in by_ride.remove(&ride).unwrap_or_default() {
                days.entry(day).or_default().add(&counts);
            }
        }
        Ok(by_partition)
    }

    fn write_rides<'r>(
        &self,
        rides: impl Iterator<Item = &'r Ride>,
        new: &HashSet<Uuid>,
        is_shared: impl Fn(&Uuid) -> bool,
    ) -> Result<()> {
        let newest: HashMap<Uuid, &Ride> = rides.map(|ride| (ride.ride_id, ride)).collect();
        let shared: HashSet<Uuid> = newest.keys().copied().filter(is_shared).collect();
        let facts = StoredFacts::read(self.connection, &shared)?;
        let mut rows: Vec<Ride> = newest.values().map(|ride| facts.correct(ride, self.day_rule)).collect();
        rows.sort_by_key(|ride| (ride.started_at, ride.ride_id));
        replace_rides(self.connection, &rows, newest.keys().filter(|ride| !new.contains(ride)))?;
        self.announcer.announce(self.connection, &rows)
    }

    /// Only what was not raised before: an alert is one per ride, direction and level. Its mail is queued with it.
    fn append_alerts<'r>(&self, alerts: impl Iterator<Item = &'r Alert>) -> Result<()> {
        let alerts: Vec<&Alert> = alerts.collect();
        if alerts.is_empty() {
            return Ok(());
        }
        let doing = || "cannot append heart-rate alerts".to_owned();
        let rides = alerts.iter().map(|alert| alert.ride_id).collect();
        let mut known: HashSet<(Uuid, Direction, i32)> = raised_alerts(self.connection, &rides)?
            .into_iter()
            .map(|(ride, (direction, level, ..))| (ride, direction, level))
            .collect();
        let is_new = |alert: &&&Alert| known.insert((alert.ride_id, alert.raised.direction, alert.raised.level));
        let new: Vec<&&Alert> = alerts.iter().filter(is_new).collect();
        let mut appender = self.connection.appender_to_db("alert", "daily").doing(doing)?;
        for alert in &new {
            appender
                .append_row(params![
                    alert.ride_id.to_string(),
                    alert.rider_id,
                    value::instant(alert.raised_at),
                    alert.second,
                    alert.raised.direction.name(),
                    alert.raised.level,
                    alert.raised.heart_rate_bpm,
                    alert.raised.limit_bpm,
                    alert.raised.limit_source.name(),
                    alert.raised.sustained_seconds,
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)?;
        for mail in new.iter().filter_map(|alert| alert.mail.as_ref()) {
            outbox::enqueue(self.connection, mail, self.at)?;
        }
        Ok(())
    }

    fn append_rejected(&self, batch: &Batch) -> Result<()> {
        if batch.rejected.is_empty() {
            return Ok(());
        }
        let doing = || "cannot keep rejected lines".to_owned();
        let mut appender = self.connection.appender_to_db("rejected_line", "daily").doing(doing)?;
        for line in &batch.rejected {
            let written_at = line.written_at.and_then(DateTime::from_timestamp_micros);
            let (raw, reason) = match self.tombstones.are_named_in(&line.raw, written_at) {
                true => (&[][..], format!("{}{WITHOUT_TEXT}", line.reason)),
                false => (&line.raw[..], line.reason.clone()),
            };
            appender
                .append_row(params![
                    self.stream.source,
                    self.stream.topic,
                    line.partition,
                    line.offset,
                    self.now,
                    raw,
                    reason,
                    line.bike_serial,
                    value::optional_instant(line.written_at),
                    value::date(Some(line.business_day)),
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }

    /// However many partitions there are, in a few statements: each costs more to plan than to carry out.
    fn write_positions(
        &self,
        positions: &BTreeMap<i32, Position>,
        corrections: &HashMap<i32, DayCounts>,
    ) -> Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let doing = || format!("cannot store the offsets of {} partitions", positions.len());
        let rows: Vec<String> = positions
            .iter()
            .map(|(partition, position)| {
                let clock = position.log_clock.map_or_else(String::new, |clock| clock.to_string());
                format!(
                    "{partition},{},{clock},{}",
                    position.next_offset, position.missing_offsets
                )
            })
            .collect();
        let parameters = params![self.stream.source, self.stream.topic, self.now, rows.join(";")];
        let execute = |sql: &str| self.connection.prepare_cached(sql)?.execute(parameters);
        if execute(include_str!("sql/advance_stream.sql")).doing(doing)? < positions.len() {
            execute(include_str!("sql/insert_stream.sql")).doing(doing)?;
        }
        let mut counts = Vec::new();
        for (&partition, position) in positions {
            let mut days = position.counts.clone();
            for (day, corrected) in corrections.get(&partition).into_iter().flatten() {
                days.entry(*day).or_default().add(corrected);
            }
            counts.extend(days.into_iter().map(|(day, counts)| (partition, Some(day), counts)));
        }
        add_counts(self.connection, self.stream, &counts)
    }

    fn write_checkpoints(&self, checkpoints: &[Checkpoint], are_blank: bool) -> Result<()> {
        if checkpoints.is_empty() {
            return Ok(());
        }
        let doing = || format!("cannot store the open rides of {} partitions", checkpoints.len());
        let partitions: Vec<i64> = checkpoints
            .iter()
            .map(|checkpoint| checkpoint.partition.into())
            .collect();
        self.connection
            .execute(
                include_str!("sql/delete_checkpoints.sql"),
                params![self.stream.source, self.stream.topic, numbers(&partitions)],
            )
            .doing(doing)?;
        let mut appender = self.connection.appender_to_db("checkpoint", "ops").doing(doing)?;
        for checkpoint in checkpoints {
            appender
                .append_row(params![
                    self.stream.source,
                    self.stream.topic,
                    checkpoint.partition,
                    checkpoint.next_offset,
                    checkpoint.replay_from,
                    self.now,
                    if are_blank { &[][..] } else { &checkpoint.state }
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }
}

/// An alert as it is stored: direction, level, second, heart rate and limit.
pub type StoredAlert = (Direction, i32, i32, i32, i32);

/// The alerts stored of `rides`.
fn raised_alerts(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<(Uuid, StoredAlert)>> {
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read which heart-rate alerts were raised before".to_owned();
    let mut statement = connection.prepare(include_str!("sql/stored_alerts.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| {
            let direction: String = row.get(1)?;
            let direction = Direction::from_name(&direction)
                .ok_or_else(|| duckdb::Error::InvalidColumnType(1, direction, duckdb::types::Type::Text))?;
            Ok((
                parsed(row, 0)?,
                (direction, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?),
            ))
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}
