//! What one flush writes: collected by the sessioniser, stored in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::NaiveDate;
use uuid::Uuid;

use super::{
    erasure::Tombstones,
    event::LogInstant,
    heart_rate::Alert,
    ride::{Reading, Ride},
    rider::Rider,
};

/// A stream that has offsets: a topic of a cluster, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamId {
    /// The cluster's id, a fresh id per start of the embedded broker, or the hash of a file.
    pub source: String,
    /// The topic, or the file's name.
    pub topic: String,
}

/// How the messages of a partition were accounted for. `messages` is the sum of the kinds of line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages received.
    pub messages: i64,
    /// Ride lines of distinct seconds.
    pub ride_lines: i64,
    /// Telemetry lines of distinct seconds.
    pub telemetry_lines: i64,
    /// `Getting user data` lines.
    pub user_data_lines: i64,
    /// `[SYSTEM]` lines.
    pub system_lines: i64,
    /// Markers.
    pub marker_lines: i64,
    /// Lines of a second that was there already.
    pub duplicate_lines: i64,
    /// Lines of rides or riders that were erased.
    pub tombstoned_lines: i64,
    /// Messages set aside with a reason.
    pub rejected_lines: i64,
    /// Readings, distinct.
    pub readings: i64,
    /// Readings of a second that was there already.
    pub duplicate_readings: i64,
}

impl Counts {
    /// Messages of all kinds: as many as were received.
    #[must_use]
    pub fn accounted_for(&self) -> i64 {
        self.ride_lines
            + self.telemetry_lines
            + self.user_data_lines
            + self.system_lines
            + self.marker_lines
            + self.duplicate_lines
            + self.tombstoned_lines
            + self.rejected_lines
    }

    /// Corrects what counted a reading and its lines as new that was there already.
    pub fn take_for_repeated(&mut self, reading: &Reading) {
        let (ride, telemetry) = (i64::from(reading.has_ride_line), i64::from(reading.has_telemetry_line));
        self.ride_lines -= ride;
        self.telemetry_lines -= telemetry;
        self.duplicate_lines += ride + telemetry;
        self.readings -= 1;
        self.duplicate_readings += 1;
    }

    /// Corrects what counted a reading and its lines as new that are of a ride that was erased.
    pub fn take_for_tombstoned(&mut self, reading: &Reading) {
        let (ride, telemetry) = (i64::from(reading.has_ride_line), i64::from(reading.has_telemetry_line));
        self.ride_lines -= ride;
        self.telemetry_lines -= telemetry;
        self.tombstoned_lines += ride + telemetry;
        self.readings -= 1;
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Counts) {
        self.messages += other.messages;
        self.ride_lines += other.ride_lines;
        self.telemetry_lines += other.telemetry_lines;
        self.user_data_lines += other.user_data_lines;
        self.system_lines += other.system_lines;
        self.marker_lines += other.marker_lines;
        self.duplicate_lines += other.duplicate_lines;
        self.tombstoned_lines += other.tombstoned_lines;
        self.rejected_lines += other.rejected_lines;
        self.readings += other.readings;
        self.duplicate_readings += other.duplicate_readings;
    }
}

/// Where a partition stands after a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Offset of the next message to be applied.
    pub next_offset: i64,
    /// The newest stamp seen.
    pub log_clock: Option<LogInstant>,
    /// Offsets before its messages at which the log has none.
    pub missing_offsets: i64,
    /// What this batch adds to the partition's counts, by the business day of the lines: that of a line's own stamp, or
    /// of the partition's clock where it has none.
    pub counts: BTreeMap<NaiveDate, Counts>,
}

impl Position {
    /// What this batch adds over all days.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.counts.values().for_each(|counts| total.add(counts));
        total
    }
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its bytes, whole.
    pub raw: Vec<u8>,
    /// Why, in words.
    pub reason: String,
    /// The bike it came from, as far as the lines before it said.
    pub bike_serial: String,
    /// When it was written, where the message said so.
    pub written_at: Option<LogInstant>,
    /// The day it is counted for.
    pub business_day: NaiveDate,
}

/// What came of reading rejected lines once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How those that are in place now were accounted for: `messages` of them, and `readings` that were not there at all.
    pub counts: Counts,
    /// Readings that lacked one of their two lines.
    pub completed_readings: i64,
    /// Lines that still cannot be read.
    pub refused: i64,
    /// Sealed days that have changed, and are sealed again.
    pub days: BTreeSet<NaiveDate>,
}

impl Replayed {
    /// Adds another's figures.
    pub fn add(&mut self, other: Replayed) {
        self.counts.add(&other.counts);
        self.completed_readings += other.completed_readings;
        self.refused += other.refused;
        self.days.extend(other.days);
    }
}

/// The state of a partition's open rides, to be restored after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The partition.
    pub partition: i32,
    /// The state holds every message before this offset.
    pub next_offset: i64,
    /// Offset of the oldest open ride's header.
    pub replay_from: i64,
    /// The state, in the sessioniser's own form.
    pub state: Vec<u8>,
}

/// How far the store has got with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPosition {
    /// The partition.
    pub partition: i32,
    /// Offset of the next message that is not stored.
    pub next_offset: i64,
    /// Rides that end before this offset are the partition's former owner's.
    pub taken_over_until: Option<i64>,
    /// Messages before this offset were counted when they were first read.
    pub counted_until: i64,
    /// What brings the open rides back.
    pub checkpoint: Option<Checkpoint>,
}

impl StoredPosition {
    /// The beginning of a partition of which nothing is stored.
    #[must_use]
    pub fn beginning(partition: i32) -> Self {
        StoredPosition {
            partition,
            next_offset: 0,
            taken_over_until: None,
            counted_until: 0,
            checkpoint: None,
        }
    }
}

/// A new place in a partition, which goes on from there without what was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reposition {
    /// The partition.
    pub partition: i32,
    /// Offset of the next message.
    pub next_offset: i64,
    /// See [`StoredPosition::taken_over_until`].
    pub taken_over_until: Option<i64>,
}

/// Messages that were gone before they could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Their partition.
    pub partition: i32,
    /// The offset that was expected.
    pub from: i64,
    /// The offset that was there; below `from` where the log was made anew.
    pub to: i64,
}

/// A ride of which a stream has begun to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The ride.
    pub ride_id: Uuid,
    /// The partition that tells of it.
    pub partition: i32,
    /// It was told of before as far as memory knows, but is not in the store whole.
    pub is_again: bool,
}

/// Rows and offsets that belong together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// New readings, in order of arrival.
    pub readings: Vec<Reading>,
    /// Rides as they now stand; of several rows of one ride the last holds.
    pub rides: Vec<Ride>,
    /// Rides that began in this batch, as far as memory knows: the store may know some of them from another source.
    pub begun: Vec<Begun>,
    /// Rides that ended before their partition was given up by its former owner, who has them: not to be kept unless
    /// that owner was this store. With each, how many of `readings` had been collected when it ended.
    pub elsewhere: Vec<(Uuid, usize)>,
    /// Riders as headers described them, with the header's instant.
    pub riders: Vec<(Rider, LogInstant)>,
    /// Alerts raised.
    pub alerts: Vec<Alert>,
    /// Messages set aside.
    pub rejected: Vec<RejectedLine>,
    /// Where each partition stands.
    pub positions: BTreeMap<i32, Position>,
    /// State of open rides, when it is time to write it.
    pub checkpoints: Vec<Checkpoint>,
    /// What was erased, as far as that state knows.
    pub tombstones: Arc<Tombstones>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.rides.is_empty() && self.checkpoints.is_empty()
    }

    /// Whether it says more than where partitions stand.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        let Batch {
            readings,
            rides,
            begun,
            elsewhere,
            riders,
            alerts,
            rejected,
            positions: _,
            checkpoints: _,
            tombstones: _,
        } = self;
        !(readings.is_empty()
            && rides.is_empty()
            && begun.is_empty()
            && elsewhere.is_empty()
            && riders.is_empty()
            && alerts.is_empty()
            && rejected.is_empty())
    }

    /// The position of `partition`, made if needed.
    pub fn position(&mut self, partition: i32) -> &mut Position {
        self.positions.entry(partition).or_default()
    }

    /// What it adds to the counts of `partition` for lines of `day`.
    pub fn counts(&mut self, partition: i32, day: NaiveDate) -> &mut Counts {
        self.position(partition).counts.entry(day).or_default()
    }
}
