//! From raw messages to batches: envelope, line, state machine. One thread; no I/O.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{
    open_ride::OpenRide,
    parse::{Envelope, ParseError, Parser, UserData, open_envelope, parse_user_data},
    sessionize::{Arrival, Rules, Sessions, instant},
    source::RawMessage,
};
use crate::domain::{
    batch::{Batch, Checkpoint, Counts, RejectedLine, StoredPosition},
    day::DayRule,
    erasure::{Tombstones, WITHOUT_TEXT},
    event::{Event, LogInstant},
    heart_rate::{Raise, RiderLimits},
};

/// A stamp further than this from when the line was written is a broken clock.
const MAX_SKEW: LogInstant = 24 * 3600 * 1_000_000;

/// The oldest stamp that is believed: a ride's id has no room for what was before 1970.
const OLDEST: LogInstant = 0;

/// A flush of one DuckDB row group is the efficient size.
const FULL_READINGS: usize = 122_880;

/// Rejected lines are kept whole, so many or long ones are a batch of their own.
const FULL_REJECTED: (usize, usize) = (10_000, 16 << 20);

/// Version of the checkpoint's form. One of another version is made again by a replay.
const STATE_VERSION: u8 = 7;

/// Everything between a source and the store.
pub struct Pipeline {
    parser: Parser,
    rules: Rules,
    partitions: BTreeMap<i32, Partition>,
    batch: Batch,
    /// Of the batch's rejected lines.
    rejected_bytes: usize,
    replayed: Vec<i32>,
    /// Whether what it reads is happening, as far as the readings are recent.
    is_live: bool,
}

struct Partition {
    sessions: Sessions,
    next_offset: i64,
    /// Messages before this are stored already: they only bring the state back.
    silent_until: i64,
    /// Rides that end before this are the partition's former owner's.
    taken_over_until: i64,
    /// Messages before this are counted already, and those set aside are stored: the partition was given up meanwhile.
    counted_until: i64,
    /// The day that its last line was of.
    day: BusinessDay,
}

impl Partition {
    /// Going on to `offset` may leave what was taken over behind: rides that ended there are the former owner's.
    fn end_takeover(&mut self, offset: i64, batch: &mut Batch) {
        if (self.next_offset..offset).contains(&(self.taken_over_until - 1)) {
            self.sessions.end_takeover(batch);
        }
    }
}

/// A business day by its first and its last microsecond: hardly a line is of another day than the one before it.
#[derive(Default)]
struct BusinessDay {
    date: NaiveDate,
    span: Range<LogInstant>,
}

impl BusinessDay {
    /// The day that `at` belongs to.
    fn of(&mut self, at: LogInstant, rule: &DayRule) -> NaiveDate {
        if !self.span.contains(&at) {
            self.date = rule.day_of(instant(at));
            let span = rule.span(self.date);
            self.span = span.start.timestamp_micros()..span.end.timestamp_micros();
        }
        self.date
    }
}

impl Pipeline {
    /// A pipeline without partitions, for stamps written in `log_timezone`.
    #[must_use]
    pub fn new(rules: Rules, log_timezone: Tz) -> Self {
        Pipeline {
            parser: Parser::new(log_timezone),
            rules,
            partitions: BTreeMap::new(),
            batch: Batch::default(),
            rejected_bytes: 0,
            replayed: Vec::new(),
            is_live: true,
        }
    }

    /// Rides of a partition that end before this offset are those of whoever had it so far, if it is taken over.
    #[must_use]
    pub fn taken_over_until(&self, partition: i32) -> Option<i64> {
        self.partitions
            .get(&partition)
            .map(|partition| partition.taken_over_until)
    }

    /// Readings of each ride that are collected but not stored.
    #[must_use]
    pub fn pending_by_ride(&self) -> HashMap<Uuid, i32> {
        let mut pending = HashMap::new();
        for reading in &self.batch.readings {
            *pending.entry(reading.ride_id).or_default() += 1;
        }
        pending
    }

    /// The same for what has happened long ago, whatever its stamps say: it warns nobody.
    #[must_use]
    pub fn of_the_past(self) -> Self {
        Pipeline { is_live: false, ..self }
    }

    /// The numbers it goes by.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What was settled for single riders; it holds from the next reading on, for rides under way too.
    pub fn set_rider_limits(&mut self, riders: Arc<RiderLimits>) {
        if Arc::ptr_eq(&self.rules.riders, &riders) {
            return;
        }
        self.rules.riders = riders;
        for partition in self.partitions.values_mut() {
            partition.sessions.set_limits(&self.rules);
        }
    }

    /// What was erased; it holds from the next message on, for rides under way too.
    pub fn set_tombstones(&mut self, tombstones: Arc<Tombstones>) {
        if Arc::ptr_eq(&self.rules.tombstones, &tombstones) {
            return;
        }
        self.rules.tombstones = tombstones;
        for partition in self.partitions.values_mut() {
            partition.sessions.forget_erased(&self.rules.tombstones);
        }
    }

    /// Takes a partition on where the store has got to; answers the offset to read from.
    ///
    /// # Errors
    /// When the checkpoint is damaged.
    pub fn assign(&mut self, stored: &StoredPosition) -> anyhow::Result<i64> {
        let id = stored.partition;
        let mut sessions = match stored.checkpoint.as_ref().filter(|checkpoint| is_readable(checkpoint)) {
            Some(checkpoint) => Sessions::decode(id, &checkpoint.state[1..])?,
            None => Sessions::new(id),
        };
        sessions.set_limits(&self.rules);
        sessions.forget_erased(&self.rules.tombstones);
        let from = read_from(stored);
        let partition = Partition {
            sessions,
            next_offset: from,
            silent_until: stored.next_offset,
            taken_over_until: stored.taken_over_until.unwrap_or(0),
            counted_until: stored.counted_until,
            day: BusinessDay::default(),
        };
        self.partitions.insert(id, partition);
        Ok(from)
    }

    /// Where a partition's next owner is to begin, and until where rides that end are ours: (offset, until).
    #[must_use]
    pub fn handover(&self, partition: i32) -> Option<(i64, i64)> {
        let partition = self.partitions.get(&partition)?;
        let until = partition
            .next_offset
            .max(partition.silent_until)
            .max(partition.taken_over_until);
        Some((partition.sessions.replay_from(partition.next_offset), until))
    }

    /// Gives a partition up. What was collected of it must have been flushed.
    pub fn revoke(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// The partitions taken on.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.partitions.keys().copied()
    }

    /// The state of a partition's bikes.
    #[must_use]
    pub fn sessions(&self, partition: i32) -> Option<&Sessions> {
        self.partitions.get(&partition).map(|partition| &partition.sessions)
    }

    /// The rides under way, of all partitions.
    pub fn open_rides(&self) -> impl Iterator<Item = &OpenRide> {
        self.partitions
            .values()
            .flat_map(|partition| partition.sessions.open_rides())
    }

    /// The same, to be marked.
    pub fn open_rides_mut(&mut self) -> impl Iterator<Item = &mut OpenRide> {
        self.partitions
            .values_mut()
            .flat_map(|partition| partition.sessions.open_rides_mut())
    }

    /// Whether a ride of the partition is under way.
    #[must_use]
    pub fn has_open_rides(&self, partition: i32) -> bool {
        self.sessions(partition)
            .is_some_and(|sessions| sessions.open_rides().next().is_some())
    }

    /// The state of a partition's bikes, to be corrected by what the store knows.
    pub fn sessions_mut(&mut self, partition: i32) -> Option<&mut Sessions> {
        self.partitions
            .get_mut(&partition)
            .map(|partition| &mut partition.sessions)
    }

    /// Offset of the next message expected of a partition.
    #[must_use]
    pub fn next_offset(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(|partition| partition.next_offset)
    }

    /// Goes on at `offset`: the log does not hold what is before it any more, or is a new one that begins below.
    pub fn skip_to(&mut self, id: i32, offset: i64) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            let was_replaying = partition.next_offset < partition.silent_until;
            partition.end_takeover(offset, &mut self.batch);
            if offset < partition.next_offset {
                partition.silent_until = offset;
                (partition.taken_over_until, partition.counted_until) = (0, 0);
            }
            partition.next_offset = offset;
            if was_replaying && offset >= partition.silent_until {
                self.replayed.push(id);
            }
        }
    }

    /// Partitions that have come to the end of what the store had already, since the last call.
    pub fn take_replayed(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.replayed)
    }

    /// Whether a partition is still reading what the store has already.
    #[must_use]
    pub fn is_replaying(&self, partition: i32) -> bool {
        self.partitions
            .get(&partition)
            .is_some_and(|partition| partition.next_offset < partition.silent_until)
    }

    /// Takes one message in. One of a partition that is not assigned, or from before the next expected offset, is
    /// another owner's or was seen: it is passed over.
    pub fn message(&mut self, raw: RawMessage<'_>, now: DateTime<Utc>) {
        let Some(partition) = self.partitions.get_mut(&raw.partition) else {
            return;
        };
        if raw.offset < partition.next_offset {
            return;
        }
        let is_silent = raw.offset < partition.silent_until;
        let is_counted = raw.offset < partition.counted_until;
        let mut discarded = None;
        let batch = if is_silent {
            discarded.insert(Batch::default())
        } else {
            &mut self.batch
        };
        // Where the offsets before this one are missing.
        partition.end_takeover(raw.offset, batch);
        let now = now.timestamp_micros();
        // A producer that writes something else than milliseconds says nothing of when it wrote.
        let written_at = raw
            .timestamp_millis
            .and_then(|millis| millis.checked_mul(1000))
            .filter(|written_at| (OLDEST..=now.saturating_add(MAX_SKEW)).contains(written_at));
        let envelope = open_envelope(raw.payload);
        let understood = match &envelope {
            Ok(envelope) => understand(&mut self.parser, envelope, written_at, now),
            Err(reason) => Err(*reason),
        };
        let stamp = understood.as_ref().ok().and_then(|(event, _)| event.at());
        let at = stamp.or(partition.sessions.clock()).or(written_at).unwrap_or(now);
        let business_day = partition.day.of(at, &self.rules.day);
        let key = key_of(raw.key, envelope.as_ref().ok());
        let taken_over_until = (raw.offset < partition.taken_over_until).then_some(partition.taken_over_until);
        let mut counts = match understood {
            Ok((event, user)) => {
                let is_taken_over = taken_over_until.is_some();
                // How old it is, Kafka's own stamp says: the log's may be hours off, by a wrong zone or a bike's wrong
                // clock, and still be of this moment.
                let is_recent = |at| self.rules.alerts.is_recent(written_at.unwrap_or(at), now);
                let raise = match stamp {
                    Some(at) if self.is_live && !is_silent && is_recent(at) => {
                        if is_taken_over {
                            Raise::Elsewhere
                        } else {
                            Raise::Now
                        }
                    }
                    _ => Raise::Later,
                };
                let arrival = Arrival {
                    key,
                    offset: raw.offset,
                    raise,
                    is_taken_over,
                };
                let riders = batch.riders.len();
                let counts = partition.sessions.apply(&self.rules, &event, user, arrival, batch);
                if is_counted {
                    // What the header says of its rider was kept when the partition was given up.
                    batch.riders.truncate(riders);
                }
                counts
            }
            Err(reason) => {
                if !is_silent && !is_counted {
                    let (text, reason) = match partition.sessions.is_erased(key) {
                        true => (Vec::new(), format!("{reason}{WITHOUT_TEXT}")),
                        false => (raw.payload.to_vec(), reason.to_string()),
                    };
                    self.rejected_bytes += text.len();
                    batch.rejected.push(RejectedLine {
                        partition: raw.partition,
                        offset: raw.offset,
                        raw: text,
                        reason,
                        bike_serial: partition.sessions.bike_serial(key),
                        written_at,
                        business_day,
                    });
                }
                Counts {
                    rejected_lines: 1,
                    ..Counts::default()
                }
            }
        };
        counts.messages = 1;
        let position = batch.position(raw.partition);
        position.next_offset = raw.offset + 1;
        position.log_clock = position.log_clock.max(stamp);
        if !is_counted {
            position.missing_offsets += raw.offset - partition.next_offset.max(partition.counted_until);
            position.counts.entry(business_day).or_default().add(&counts);
        }
        // An offset that the log no longer holds may have ended the replay, so the next message ends it too.
        let was_replaying = partition.next_offset < partition.silent_until;
        if taken_over_until.is_some() {
            partition.end_takeover(raw.offset + 1, batch);
        }
        partition.next_offset = raw.offset + 1;
        if was_replaying && partition.next_offset >= partition.silent_until {
            self.replayed.push(raw.partition);
        }
    }

    /// Closes every ride of a partition: at the end of a file, or when nothing arrives any more.
    pub fn close_all(&mut self, partition: i32) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            let counts = state.sessions.close_all(&self.rules, &mut self.batch);
            let position = self.batch.position(partition);
            position.next_offset = state.next_offset;
            if let Some(clock) = state.sessions.clock() {
                let business_day = state.day.of(clock, &self.rules.day);
                position.counts.entry(business_day).or_default().add(&counts);
            }
        }
    }

    /// Readings collected since the last batch was taken.
    #[must_use]
    pub fn pending_readings(&self) -> usize {
        self.batch.readings.len()
    }

    /// Whether as much was collected as one batch should hold.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let (lines, bytes) = FULL_REJECTED;
        self.batch.readings.len() >= FULL_READINGS || self.batch.rejected.len() >= lines || self.rejected_bytes >= bytes
    }

    /// Alerts raised since the last batch was taken.
    #[must_use]
    pub fn pending_alerts(&self) -> usize {
        self.batch.alerts.len()
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Whether anything but offsets and counts is to be written.
    #[must_use]
    pub fn has_pending_rows(&self) -> bool {
        self.batch.has_rows()
    }

    /// Takes what was collected, with the state of the open rides of the partitions that `is_due` names, and with those
    /// rides' rows as they stand then.
    ///
    /// # Errors
    /// When the state cannot be written down.
    pub fn take_batch(&mut self, is_due: impl Fn(i32) -> bool) -> anyhow::Result<Batch> {
        let whole = |partition: &Partition| partition.next_offset >= partition.silent_until;
        for (&id, partition) in self.partitions.iter().filter(|(id, of)| is_due(**id) && whole(of)) {
            let mut state = vec![STATE_VERSION];
            state.extend(partition.sessions.encode()?);
            self.batch.checkpoints.push(Checkpoint {
                partition: id,
                next_offset: partition.next_offset,
                replay_from: partition.sessions.replay_from(partition.next_offset),
                state,
            });
            self.batch
                .rides
                .extend(partition.sessions.open_rides().map(|ride| ride.row(&self.rules.day)));
        }
        self.batch.tombstones = Arc::clone(&self.rules.tombstones);
        let capacity = self.batch.readings.capacity();
        let mut batch = std::mem::take(&mut self.batch);
        self.rejected_bytes = 0;
        self.batch.readings.reserve(capacity.min(1 << 17));
        batch.readings.shrink_to(0);
        Ok(batch)
    }
}

/// The offset to read a partition from, to bring its open rides back.
#[must_use]
pub fn read_from(stored: &StoredPosition) -> i64 {
    match &stored.checkpoint {
        Some(checkpoint) if is_readable(checkpoint) => checkpoint.next_offset,
        Some(checkpoint) => checkpoint.replay_from,
        None => stored.next_offset,
    }
}

fn is_readable(checkpoint: &Checkpoint) -> bool {
    checkpoint.state.first() == Some(&STATE_VERSION)
}

/// What tells the bike: the message's key, else the one in its envelope; empty where there is neither.
fn key_of<'k>(key: Option<&'k [u8]>, envelope: Option<&'k Envelope<'_>>) -> &'k [u8] {
    key.or_else(|| envelope?.key.as_deref().map(str::as_bytes))
        .unwrap_or_default()
}

/// What the line in `envelope` says, written at `written_at` as far as its message tells, and before `now`. What one line in
/// thousands says of a rider is boxed: the others would be a tenth slower for carrying the room for it.
///
/// # Errors
/// When the line cannot be read, or its stamp cannot be right.
pub(super) fn understand<'e>(
    parser: &mut Parser,
    envelope: &'e Envelope<'_>,
    written_at: Option<LogInstant>,
    now: LogInstant,
) -> Result<(Event<'e>, Option<Box<UserData>>), ParseError> {
    let event = parser.parse(&envelope.line)?;
    if let Some(at) = event.at() {
        // A file says nothing of when it was written, only that it is not from the future.
        let is_too_old = written_at.is_some_and(|written_at| written_at - at > MAX_SKEW);
        if at < OLDEST || is_too_old || at - written_at.unwrap_or(now) > MAX_SKEW {
            return Err(ParseError::StampOutOfRange);
        }
    }
    let user = match event {
        Event::System { json, .. } => Some(Box::new(parse_user_data(json)?)),
        _ => None,
    };
    Ok((event, user))
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod alert_tests;
#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
