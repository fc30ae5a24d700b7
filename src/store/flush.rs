//! One flush: readings, rides, riders, alerts, rejected lines, offsets and what restores the open rides, in one
//! transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use duckdb::{
    Connection,
    arrow::{
        array::{
            ArrayRef, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, RecordBatch,
            TimestampMicrosecondBuilder,
        },
        datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
        error::ArrowError,
    },
    params,
    types::Value,
};
use uuid::Uuid;

use super::{Doing, Result, Store, StoreError, value};
use crate::domain::{
    batch::{Batch, Checkpoint, Position, StreamId},
    ride::{Reading, Ride, Totals},
    rider::{postcode_area, split_address, split_name},
};

/// What a flush found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Rides of the batch that the store held already, from another source or an earlier reading of the same lines.
    pub overlapping: Vec<Uuid>,
}

impl Store {
    /// Writes `batch` in one transaction. `overlapping` are the open rides known to have been in the store before:
    /// of these only seconds that are not there are added, and their rows are made from all their readings.
    ///
    /// # Errors
    /// When the transaction fails; nothing of the batch is in the store then.
    pub fn flush(&self, stream: &StreamId, batch: &Batch, overlapping: &HashSet<Uuid>) -> Result<Flushed> {
        let connection = self.connection()?;
        connection
            .execute_batch("begin")
            .doing(|| "cannot begin to write readings".to_owned())?;
        let flush = Flush {
            connection: &connection,
            stream,
            now: value::timestamp(self.clock().now()),
        };
        let flushed = flush.write(batch, overlapping)?;
        connection.execute_batch("commit").doing(|| {
            format!(
                "cannot write {} readings; is the disk of the data folder full?",
                batch.readings.len()
            )
        })?;
        Ok(flushed)
    }

    /// Where a stream's partitions stand, with their checkpoints: (partition, next offset, checkpoint).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn positions(&self, stream: &StreamId) -> Result<Vec<(i32, i64, Option<Checkpoint>)>> {
        let connection = self.connection()?;
        let doing = || format!("cannot read the offsets of `{}`", stream.topic);
        let mut statement = connection
            .prepare(include_str!("sql/stream_positions.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map(params![stream.source, stream.topic], |row| {
                let partition = row.get(0)?;
                let checkpoint = match row.get::<_, Option<Vec<u8>>>(4)? {
                    Some(state) => Some(Checkpoint {
                        partition,
                        next_offset: row.get(2)?,
                        replay_from: row.get(3)?,
                        state,
                    }),
                    None => None,
                };
                Ok((partition, row.get(1)?, checkpoint))
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// What the store holds of `rides`: (ride, readings, alerts).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ride_facts(&self, rides: &[Uuid]) -> Result<Vec<(Uuid, i32, i32)>> {
        if rides.is_empty() {
            return Ok(Vec::new());
        }
        let connection = self.connection()?;
        let doing = || "cannot read what is stored of the open rides".to_owned();
        let mut statement = connection.prepare(include_str!("sql/ride_facts.sql")).doing(doing)?;
        let rows = statement
            .query_map([listed(rides)], |row| Ok((uuid_at(row, 0)?, row.get(1)?, row.get(2)?)))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }
}

struct Flush<'a> {
    connection: &'a Connection,
    stream: &'a StreamId,
    now: Value,
}

impl Flush<'_> {
    fn write(&self, batch: &Batch, overlapping: &HashSet<Uuid>) -> Result<Flushed> {
        let found = self.known(&batch.begun)?;
        let overlapping: HashSet<Uuid> = overlapping.union(&found).copied().collect();
        let mut repeats = Repeats::default();
        if overlapping.is_empty() {
            self.append_readings(batch.readings.iter())?;
        } else {
            let stored = self.stored_seconds(batch, &overlapping)?;
            let is_new = |reading: &&Reading| match stored.get(&reading.ride_id) {
                Some(seconds) => !seconds.contains(&reading.second),
                None => true,
            };
            self.append_readings(batch.readings.iter().filter(is_new))?;
            batch
                .readings
                .iter()
                .filter(|reading| !is_new(reading))
                .for_each(|reading| repeats.count(reading));
        }
        let begun = batch
            .begun
            .iter()
            .copied()
            .filter(|ride| !found.contains(ride))
            .collect();
        self.write_rides(&batch.rides, &begun, &overlapping)?;
        self.append_riders(batch)?;
        self.append_alerts(batch)?;
        self.append_rejected(batch)?;
        for (&partition, position) in &batch.positions {
            // Overlaps are met while reading files, which have one partition.
            self.write_position(partition, position, std::mem::take(&mut repeats))?;
        }
        batch
            .checkpoints
            .iter()
            .try_for_each(|checkpoint| self.write_checkpoint(checkpoint))?;
        Ok(Flushed {
            overlapping: found.into_iter().collect(),
        })
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

    fn stored_seconds(&self, batch: &Batch, overlapping: &HashSet<Uuid>) -> Result<HashMap<Uuid, HashSet<i32>>> {
        let rides: HashSet<Uuid> = batch
            .readings
            .iter()
            .map(|reading| reading.ride_id)
            .filter(|ride| overlapping.contains(ride))
            .collect();
        let mut seconds: HashMap<Uuid, HashSet<i32>> = HashMap::new();
        for reading in self.stored_readings(&rides)? {
            seconds.entry(reading.ride_id).or_default().insert(reading.second);
        }
        Ok(seconds)
    }

    /// Every stored reading of `rides`, by ride and second.
    fn stored_readings(&self, rides: &HashSet<Uuid>) -> Result<Vec<Reading>> {
        if rides.is_empty() {
            return Ok(Vec::new());
        }
        let doing = || "cannot read the stored readings of rides that came again".to_owned();
        let mut statement = self
            .connection
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

    fn append_readings<'r>(&self, readings: impl Iterator<Item = &'r Reading>) -> Result<()> {
        let mut columns = ReadingColumns::default();
        readings.for_each(|reading| columns.push(reading));
        let batch = columns
            .finish()
            .map_err(|error| StoreError::Inconsistent(format!("cannot lay out readings: {error}")))?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let doing = || "cannot append readings".to_owned();
        let mut appender = self.connection.appender_to_db("reading", "daily").doing(doing)?;
        appender.append_record_batch(batch).doing(doing)?;
        appender.flush().doing(doing)
    }

    fn write_rides(&self, rides: &[Ride], begun: &HashSet<Uuid>, overlapping: &HashSet<Uuid>) -> Result<()> {
        let newest: HashMap<Uuid, &Ride> = rides.iter().map(|ride| (ride.ride_id, ride)).collect();
        if newest.is_empty() {
            return Ok(());
        }
        let doing = || "cannot write rides".to_owned();
        let again = newest
            .keys()
            .filter(|ride| overlapping.contains(ride))
            .copied()
            .collect::<HashSet<_>>();
        let mut totals: HashMap<Uuid, (Totals, i64)> = HashMap::new();
        for reading in self.stored_readings(&again)? {
            let (sum, last) = totals.entry(reading.ride_id).or_insert((Totals::default(), i64::MIN));
            sum.add(&reading);
            *last = (*last).max(reading.at);
        }
        let stored = listed(newest.keys().filter(|ride| !begun.contains(ride)));
        if !stored.is_empty() {
            self.connection
                .prepare_cached(include_str!("sql/delete_rides.sql"))
                .and_then(|mut sql| sql.execute([stored]))
                .doing(doing)?;
        }
        let mut rows: Vec<&Ride> = newest.into_values().collect();
        rows.sort_by_key(|ride| (ride.started_at, ride.ride_id));
        let mut appender = self.connection.appender_to_db("ride", "daily").doing(doing)?;
        for ride in rows {
            let ride = match totals.get(&ride.ride_id) {
                Some(&(totals, last)) => value::ride_with(ride, totals, last),
                None => ride.clone(),
            };
            appender
                .append_row(duckdb::appender_params_from_iter(value::ride(&ride)))
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }

    fn append_riders(&self, batch: &Batch) -> Result<()> {
        if batch.riders.is_empty() {
            return Ok(());
        }
        let doing = || "cannot append riders".to_owned();
        let mut appender = self.connection.appender_to_db("rider", "daily").doing(doing)?;
        for (rider, seen_at) in &batch.riders {
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

    fn append_alerts(&self, batch: &Batch) -> Result<()> {
        if batch.alerts.is_empty() {
            return Ok(());
        }
        let doing = || "cannot append heart-rate alerts".to_owned();
        let mut appender = self.connection.appender_to_db("alert", "daily").doing(doing)?;
        for alert in &batch.alerts {
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
                    alert.limit_source,
                    alert.raised.sustained_seconds,
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
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
                    line.reason
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }

    fn write_position(&self, partition: i32, position: &Position, repeats: Repeats) -> Result<()> {
        let counts = &position.counts;
        let row = params![
            self.stream.source,
            self.stream.topic,
            partition,
            position.next_offset,
            value::optional_instant(position.log_clock),
            self.now,
            counts.messages,
            counts.ride_lines - repeats.ride_lines,
            counts.telemetry_lines - repeats.telemetry_lines,
            counts.user_data_lines,
            counts.system_lines,
            counts.marker_lines,
            counts.duplicate_lines + repeats.ride_lines + repeats.telemetry_lines,
            counts.tombstoned_lines,
            counts.rejected_lines,
            counts.readings - repeats.readings,
            counts.duplicate_readings + repeats.readings,
        ];
        let doing = || format!("cannot store the offset of partition {partition}");
        if self
            .connection
            .prepare_cached(include_str!("sql/advance_stream.sql"))
            .and_then(|mut sql| sql.execute(row))
            .doing(doing)?
            == 0
        {
            self.connection
                .prepare_cached(include_str!("sql/insert_stream.sql"))
                .and_then(|mut sql| sql.execute(row))
                .doing(doing)?;
        }
        Ok(())
    }

    fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<()> {
        let doing = || format!("cannot store the open rides of partition {}", checkpoint.partition);
        let key = params![self.stream.source, self.stream.topic, checkpoint.partition];
        self.connection
            .execute(include_str!("sql/delete_checkpoint.sql"), key)
            .doing(doing)?;
        self.connection
            .execute(
                "insert into ops.checkpoint values (?, ?, ?, ?, ?, ?, ?)",
                params![
                    self.stream.source,
                    self.stream.topic,
                    checkpoint.partition,
                    checkpoint.next_offset,
                    checkpoint.replay_from,
                    self.now,
                    checkpoint.state
                ],
            )
            .doing(doing)?;
        Ok(())
    }
}

/// Lines that were counted as new while the store held their seconds.
#[derive(Debug, Default)]
struct Repeats {
    readings: i64,
    ride_lines: i64,
    telemetry_lines: i64,
}

impl Repeats {
    fn count(&mut self, reading: &Reading) {
        self.readings += 1;
        self.ride_lines += i64::from(reading.has_ride_line);
        self.telemetry_lines += i64::from(reading.has_telemetry_line);
    }
}

/// Ride ids as one parameter: text, since the crate binds no lists, and no table to stage them in has to be made.
fn listed<'r>(rides: impl IntoIterator<Item = &'r Uuid>) -> String {
    let mut list = String::new();
    for ride in rides {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(ride.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    list
}

pub(super) fn uuid_at(row: &duckdb::Row<'_>, column: usize) -> duckdb::Result<Uuid> {
    let text: String = row.get(column)?;
    Uuid::parse_str(&text)
        .map_err(|error| duckdb::Error::FromSqlConversionFailure(column, duckdb::types::Type::Text, Box::new(error)))
}

/// The columns of `daily.reading` while they fill.
struct ReadingColumns {
    ride_id: FixedSizeBinaryBuilder,
    second: Int32Builder,
    at: TimestampMicrosecondBuilder,
    resistance: Int32Builder,
    heart_rate_bpm: Int32Builder,
    is_dropout: BooleanBuilder,
    cadence_rpm: Int32Builder,
    power_watts: Float64Builder,
    is_flagged: BooleanBuilder,
}

impl Default for ReadingColumns {
    fn default() -> Self {
        ReadingColumns {
            ride_id: FixedSizeBinaryBuilder::new(16),
            second: Int32Builder::new(),
            at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            resistance: Int32Builder::new(),
            heart_rate_bpm: Int32Builder::new(),
            is_dropout: BooleanBuilder::new(),
            cadence_rpm: Int32Builder::new(),
            power_watts: Float64Builder::new(),
            is_flagged: BooleanBuilder::new(),
        }
    }
}

impl ReadingColumns {
    fn push(&mut self, reading: &Reading) {
        self.ride_id
            .append_value(reading.ride_id.as_bytes())
            .expect("a UUID is 16 bytes");
        self.second.append_value(reading.second);
        self.at.append_value(reading.at);
        self.resistance.append_option(reading.resistance);
        self.heart_rate_bpm.append_option(reading.heart_rate_bpm);
        self.is_dropout.append_value(reading.is_dropout);
        self.cadence_rpm.append_option(reading.cadence_rpm);
        self.power_watts.append_option(reading.power_watts);
        self.is_flagged.append_value(reading.is_flagged);
    }

    fn schema() -> SchemaRef {
        let uuid = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
        Arc::new(Schema::new(vec![
            Field::new("ride_id", DataType::FixedSizeBinary(16), false).with_metadata(uuid),
            Field::new("second", DataType::Int32, false),
            Field::new(
                "recorded_at",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
            ),
            Field::new("resistance", DataType::Int32, true),
            Field::new("heart_rate_bpm", DataType::Int32, true),
            Field::new("is_dropout", DataType::Boolean, false),
            Field::new("cadence_rpm", DataType::Int32, true),
            Field::new("power_watts", DataType::Float64, true),
            Field::new("is_flagged", DataType::Boolean, false),
        ]))
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ride_id.finish()),
            Arc::new(self.second.finish()),
            Arc::new(self.at.finish()),
            Arc::new(self.resistance.finish()),
            Arc::new(self.heart_rate_bpm.finish()),
            Arc::new(self.is_dropout.finish()),
            Arc::new(self.cadence_rpm.finish()),
            Arc::new(self.power_watts.finish()),
            Arc::new(self.is_flagged.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}
