//! One flush: readings, rides, riders, alerts, rejected lines, offsets and what restores the open rides, in one
//! transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, params, types::Value};
use uuid::Uuid;

use super::{
    Doing, Result, Store, StoreError, lock, outbox, reading_columns::ReadingColumns, ride_end::Announcer, ride_source,
    stream::add_counts, value,
};
use crate::domain::{
    batch::{Batch, Checkpoint, Counts, Position, StoredPosition, StreamId},
    day::DayRule,
    event::LogInstant,
    heart_rate::{Alert, Direction},
    ride::{Reading, Ride, Totals},
    rider::{Rider, postcode_area, split_address, split_name},
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
        let found = self.transaction(doing, |connection| {
            let flush = Flush {
                connection,
                stream,
                shared: &shared,
                day_rule,
                at: self.clock().now(),
                announcer: self.announcer(),
                now: value::timestamp(self.clock().now()),
            };
            flush.write(batch)
        })?;
        shared.extend(found);
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

struct Flush<'a> {
    connection: &'a Connection,
    stream: &'a StreamId,
    /// Rides of which the store holds more than this stream told, as found by earlier flushes.
    shared: &'a HashSet<Uuid>,
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
        let is_gone = |ride: &Uuid| elsewhere.contains_key(ride) && !found.contains(ride);
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
        let new = new.filter(|(place, reading)| !is_elsewhere(*place, reading) && !is_repeated(reading));
        append_readings(self.connection, new.map(|(_, reading)| reading))?;
        self.append_alerts(batch.alerts.iter().filter(|alert| !is_gone(&alert.ride_id)))?;
        let begun = batch.begun.iter().map(|begun| begun.ride_id);
        let new: HashSet<Uuid> = begun.filter(|ride| !found.contains(ride)).collect();
        self.write_rides(
            batch.rides.iter().filter(|ride| !is_gone(&ride.ride_id)),
            &new,
            is_shared,
        )?;
        append_riders(self.connection, &batch.riders)?;
        self.append_rejected(batch)?;
        let repeats = self.repeats(batch.readings.iter().filter(|reading| is_repeated(reading)))?;
        self.write_positions(&batch.positions, &repeats)?;
        self.write_checkpoints(&batch.checkpoints)?;
        Ok(found)
    }

    /// Which of `rides` the store holds already.
    fn known(&self, rides: &[Uuid]) -> Result<HashSet<Uuid>> {
        if rides.is_empty() {
            return Ok(HashSet::new());
        }
        let doing = || "cannot look up which rides are stored already".to_owned();
        let mut statement = self
            .connection
            .prepare_cached(include_str!("sql/known_rides.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map([listed(rides)], |row| uuid_at(row, 0))
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

    /// What to add to the counts, by partition and day, because of what was counted as new although the store had it.
    fn repeats<'r>(&self, repeated: impl Iterator<Item = &'r Reading>) -> Result<HashMap<i32, DayCounts>> {
        let mut by_ride: HashMap<Uuid, DayCounts> = HashMap::new();
        for reading in repeated {
            let day = self
                .day_rule
                .day_of(DateTime::from_timestamp_micros(reading.at).unwrap_or_default());
            let days = by_ride.entry(reading.ride_id).or_default();
            days.entry(day).or_default().take_for_repeated(reading);
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
            appender
                .append_row(params![
                    self.stream.source,
                    self.stream.topic,
                    line.partition,
                    line.offset,
                    self.now,
                    line.raw,
                    line.reason,
                    line.bike_serial,
                    value::optional_instant(line.written_at),
                    value::date(Some(line.business_day)),
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }

    /// However many partitions there are, in a few statements: each costs more to plan than to carry out.
    fn write_positions(&self, positions: &BTreeMap<i32, Position>, repeats: &HashMap<i32, DayCounts>) -> Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let doing = || format!("cannot store the offsets of {} partitions", positions.len());
        let rows: Vec<String> = positions
            .iter()
            .map(|(partition, position)| {
                let clock = position.log_clock.map_or_else(String::new, |clock| clock.to_string());
                format!("{partition},{},{clock}", position.next_offset)
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
            for (day, repeated) in repeats.get(&partition).into_iter().flatten() {
                days.entry(*day).or_default().add(repeated);
            }
            counts.extend(days.into_iter().map(|(day, counts)| (partition, Some(day), counts)));
        }
        add_counts(self.connection, self.stream, &counts)
    }

    fn write_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<()> {
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
                    checkpoint.state
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
                uuid_at(row, 0)?,
                (direction, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?),
            ))
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Appends readings to the buffer.
pub(super) fn append_readings<'r>(connection: &Connection, readings: impl Iterator<Item = &'r Reading>) -> Result<()> {
    let mut columns = ReadingColumns::default();
    readings.for_each(|reading| columns.push(reading));
    let batch = columns
        .finish()
        .map_err(|error| StoreError::Inconsistent(format!("cannot lay out readings: {error}")))?;
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let doing = || "cannot append readings".to_owned();
    let mut appender = connection.appender_to_db("reading", "daily").doing(doing)?;
    appender.append_record_batch(batch).doing(doing)?;
    appender.flush().doing(doing)
}

/// Appends what headers say of riders.
pub(super) fn append_riders(connection: &Connection, riders: &[(Rider, LogInstant)]) -> Result<()> {
    if riders.is_empty() {
        return Ok(());
    }
    let doing = || "cannot append riders".to_owned();
    let mut appender = connection.appender_to_db("rider", "daily").doing(doing)?;
    for (rider, seen_at) in riders {
        let (forename, surname) = rider.name.as_deref().map_or((None, None), split_name);
        let address = rider.address.as_deref().map(split_address).unwrap_or_default();
        appender
            .append_row(params![
                rider.rider_id,
                value::instant(*seen_at),
                rider.name,
                forename,
                surname,
                rider.gender.name(),
                rider.address,
                address.street,
                address.town,
                address.postcode,
                address.postcode.and_then(postcode_area),
                value::date(rider.date_of_birth),
                rider.email_address,
                rider.height_cm,
                rider.weight_kg,
                value::date(rider.account_created_on),
                rider.original_source,
            ])
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

/// Every stored reading of `rides`, by ride and second.
pub(super) fn stored_readings(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<Reading>> {
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read the stored readings of rides that came again".to_owned();
    let mut statement = connection
        .prepare(include_str!("sql/stored_readings.sql"))
        .doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| {
            Ok(Reading {
                ride_id: uuid_at(row, 0)?,
                second: row.get(1)?,
                at: row.get(2)?,
                resistance: row.get(3)?,
                heart_rate_bpm: row.get(4)?,
                is_dropout: row.get(5)?,
                cadence_rpm: row.get(6)?,
                power_watts: row.get(7)?,
                is_flagged: row.get(8)?,
                has_ride_line: true,
                has_telemetry_line: true,
            })
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// What the store holds of some rides, whoever told of it.
pub(super) struct StoredFacts {
    figures: HashMap<Uuid, (Totals, i64, i32)>,
    riders: HashMap<Uuid, i64>,
}

impl StoredFacts {
    pub(super) fn read(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Self> {
        let mut facts: HashMap<Uuid, (Totals, i64, i32)> = HashMap::new();
        for reading in stored_readings(connection, rides)? {
            let (totals, last_at, _) = facts.entry(reading.ride_id).or_insert((Totals::default(), i64::MIN, 0));
            totals.add(&reading);
            *last_at = (*last_at).max(reading.at);
        }
        for (ride, _, alerts) in ride_facts(connection, rides)? {
            if let Some(fact) = facts.get_mut(&ride) {
                fact.2 = alerts;
            }
        }
        Ok(StoredFacts {
            figures: facts,
            riders: riders(connection, rides)?,
        })
    }

    /// `ride` with figures made from what the store holds of it, where it was asked for.
    pub(super) fn correct(&self, ride: &Ride, day_rule: &DayRule) -> Ride {
        let (totals, last_at, alert_count) = match self.figures.get(&ride.ride_id) {
            Some(&(totals, last_at, alert_count)) => (totals, DateTime::from_timestamp_micros(last_at), alert_count),
            None => (ride.totals, None, ride.alert_count),
        };
        let ended_at = ride.ended_at.map(|ended_at| last_at.unwrap_or(ended_at));
        // Whoever told of it first, or a line that was read later, may have known who rides.
        let rider_id = ride.rider_id.or(self.riders.get(&ride.ride_id).copied());
        Ride {
            rider_id,
            is_partial: ride.is_partial && rider_id.is_none(),
            totals,
            ended_at,
            business_day: ended_at.map(|at| day_rule.day_of(at)),
            alert_count,
            ..ride.clone()
        }
    }
}

/// Who rode the rides, where the buffer knows.
fn riders(connection: &Connection, rides: &HashSet<Uuid>) -> Result<HashMap<Uuid, i64>> {
    if rides.is_empty() {
        return Ok(HashMap::new());
    }
    let doing = || "cannot read who rode the rides that came again".to_owned();
    let mut statement = connection.prepare(include_str!("sql/ride_riders.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| Ok((uuid_at(row, 0)?, row.get(1)?)))
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Writes the rows of rides; those of `stored` may be there already, in an older form.
pub(super) fn replace_rides<'r>(
    connection: &Connection,
    rows: &[Ride],
    stored: impl Iterator<Item = &'r Uuid>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let doing = || "cannot write rides".to_owned();
    let stored = listed(stored);
    if !stored.is_empty() {
        connection
            .prepare_cached(include_str!("sql/delete_rides.sql"))
            .and_then(|mut sql| sql.execute([stored]))
            .doing(doing)?;
    }
    let mut appender = connection.appender_to_db("ride", "daily").doing(doing)?;
    for ride in rows {
        appender
            .append_row(duckdb::appender_params_from_iter(value::ride(ride)))
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

fn ride_facts(connection: &Connection, rides: &HashSet<Uuid>) -> Result<Vec<(Uuid, i32, i32)>> {
    if rides.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "cannot read what is stored of the open rides".to_owned();
    let mut statement = connection.prepare(include_str!("sql/ride_facts.sql")).doing(doing)?;
    let rows = statement
        .query_map([listed(rides)], |row| Ok((uuid_at(row, 0)?, row.get(1)?, row.get(2)?)))
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Ride ids as one parameter: text, since the crate binds no lists, and no table to stage them in has to be made.
pub(super) fn listed<'r>(rides: impl IntoIterator<Item = &'r Uuid>) -> String {
    let mut list = String::new();
    for ride in rides {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(ride.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    list
}

/// Numbers as one parameter, in the same way.
pub(super) fn numbers(numbers: &[i64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn uuid_at(row: &duckdb::Row<'_>, column: usize) -> duckdb::Result<Uuid> {
    let text: String = row.get(column)?;
    Uuid::parse_str(&text)
        .map_err(|error| duckdb::Error::FromSqlConversionFailure(column, duckdb::types::Type::Text, Box::new(error)))
}
