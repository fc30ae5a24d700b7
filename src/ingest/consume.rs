//! The long-running consumer: from Kafka to the store, until it is told to stop.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{
    file::reconcile,
    pipeline::{Pipeline, read_from},
    sessionize::{Rules, instant},
    source::{Assigned, KafkaConfig, KafkaSource, Polled, SourceEvent, Stored},
    writer::{Compose, Writer, Written},
};
use crate::{
    domain::{
        batch::{Gap, Reposition, StreamId},
        live::{LiveBoard, StreamState},
    },
    store::Store,
};

/// Readings are in the store at most this long after they arrived.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// Offsets are in the store at most this long after their messages arrived, where no rows came of these: half of a
/// reading's two lines, say.
const PLACE_INTERVAL: Duration = Duration::from_secs(1);

/// How often the open rides of a partition are written down: a restart replays about this much, silently.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);

/// In how many flushes the partitions take their turns, so that no flush has to wait for all the rides under way.
const CHECKPOINT_TURNS: usize = (CHECKPOINT_INTERVAL.as_millis() / FLUSH_INTERVAL.as_millis()) as usize;

/// How often the live board and whoever listens are told.
const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// How soon a ride that is over has left the live board.
const CLEAR_INTERVAL: Duration = Duration::from_secs(1);

/// A partition at its end, where nothing arrived for this long, has no ride under way.
const QUIET: Duration = Duration::from_secs(60);

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// Messages taken by one poll.
const POLL_MESSAGES: usize = 10_000;

/// How long to wait before connecting anew after the client was beyond help, and before asking again whether a cluster
/// answers that did not.
const RECONNECT: Duration = Duration::from_secs(5);

/// How the consumer stands, as told to whoever listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// All partitions have been read to their end.
    pub caught_up: bool,
    /// The log's clock, which everything to come lies after; none before the first line.
    pub watermark: Option<DateTime<Utc>>,
    /// Stamp of the newest line.
    pub newest: Option<DateTime<Utc>>,
    /// Messages that wait in Kafka.
    pub lag_messages: Option<i64>,
    /// Rides under way.
    pub open_rides: usize,
    /// What is wrong outside, in words.
    pub trouble: Option<String>,
}

/// What the consumer tells of itself.
pub trait Listener: Send {
    /// A batch is in the store.
    fn written(&mut self, written: &Written);
    /// How it stands; told a few times a second.
    fn stands(&mut self, standing: &Standing);
}

/// What the consumer works with.
pub struct Consumer {
    /// Where rows go.
    pub store: Store,
    /// The numbers the sessioniser goes by.
    pub rules: Rules,
    /// Zone of the log's stamps.
    pub log_timezone: Tz,
    /// The cluster and the topic.
    pub kafka: KafkaConfig,
    /// Shows what is being ridden.
    pub live: Arc<LiveBoard>,
    /// Writes the mails about heart-rate alerts; without, nobody is mailed.
    pub compose: Option<Compose>,
    /// Raised when it is time to end.
    pub stop: Arc<AtomicBool>,
}

impl Consumer {
    /// Consumes until told to stop. A cluster that cannot be reached is tried again and again, and shown meanwhile.
    ///
    /// # Errors
    /// When the settings are wrong or the store cannot be written.
    pub fn run(&self, listener: &mut dyn Listener) -> anyhow::Result<()> {
        let _folding = self
            .store
            .fold_wal()
            .context("cannot start the thread of the write-ahead log")?;
        while !self.is_stopping() {
            let connected = KafkaSource::connect(self.kafka.clone(), Arc::clone(&self.stop), &mut |event| {
                if let SourceEvent::Error(text) = event {
                    self.trouble(listener, &text);
                }
            })?;
            let Some(mut source) = connected else { break };
            let consumed = self.consume(&mut source, listener);
            source.close();
            if let Some(reason) = consumed? {
                self.trouble(listener, &reason);
                let until = Instant::now() + RECONNECT;
                while Instant::now() < until && !self.is_stopping() {
                    std::thread::sleep(POLL);
                }
            }
        }
        self.live.set_stream(StreamState::default());
        Ok(())
    }

    /// Consumes from one connection. Answers why it had to be given up, or nothing when told to stop.
    fn consume(&self, source: &mut KafkaSource, listener: &mut dyn Listener) -> anyhow::Result<Option<String>> {
        let stream = StreamId {
            source: source.identity(),
            topic: self.kafka.topic.clone(),
        };
        let (store, known) = (self.store.clone(), stream.clone());
        source.subscribe(Box::new(move |partition| {
            let positions = store.positions(&known)?;
            let stored = positions.iter().find(|stored| stored.partition == partition);
            Ok(stored.map(|stored| Stored {
                next_offset: stored.next_offset,
                read_from: read_from(stored),
            }))
        }))?;
        // A cluster that was replaced, or an embedded one that is gone, ends no rides any more. Should it come back, its
        // rides go on where its checkpoint left them.
        let orphans = self.store.open_rides_elsewhere(&stream)?;
        self.store.close_rides(&orphans, &self.rules.day)?;
        let mut session = Session {
            consumer: self,
            pipeline: Pipeline::new(self.rules.clone(), self.log_timezone),
            writer: self.start_writer(&stream)?,
            stream,
            partitions: BTreeMap::new(),
            told_at: Instant::now(),
            cleared_at: Instant::now(),
            flushed_at: Instant::now(),
            checkpoint_due: false,
            unwritten: 0,
            stored: BTreeMap::new(),
            is_assigned: false,
            trouble: None,
            asked_at: Instant::now(),
            recovered_at: None,
        };
        let given_up = loop {
            if self.is_stopping() {
                break None;
            }
            let mut events = Vec::new();
            let (now, polled_at) = (self.store.clock().now(), Instant::now());
            session.pipeline.set_rider_limits(self.store.rider_limits());
            session.pipeline.set_tombstones(self.store.tombstones());
            let mut has_messages = false;
            let polled = source.poll(POLL, POLL_MESSAGES, &mut |polled| match polled {
                Polled::Message(message) => {
                    has_messages = true;
                    if let Some(partition) = session.partitions.get_mut(&message.partition) {
                        partition.at_end = false;
                        partition.heard_at = Some(polled_at);
                    }
                    session.pipeline.message(message, now);
                }
                Polled::Event(event) => events.push(event),
            });
            if let Err(error) = polled {
                break Some(format!("{error:#}"));
            }
            for event in events {
                session.event(event, source, listener)?;
            }
            if session.trouble.is_some() && (has_messages || session.is_over(source)) {
                session.recover();
            }
            session.settle(source, listener)?;
        };
        session.end(source, listener)?;
        Ok(given_up)
    }

    fn start_writer(&self, stream: &StreamId) -> anyhow::Result<Writer> {
        let (store, day_rule) = (self.store.clone(), self.rules.day);
        Writer::start(store, stream.clone(), day_rule, self.compose.clone())
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn trouble(&self, listener: &mut dyn Listener, text: &str) {
        tracing::warn!(reason = text, "Kafka cannot be reached; trying again");
        let standing = Standing {
            trouble: Some(text.to_owned()),
            ..Standing::default()
        };
        self.live.set_stream(StreamState {
            trouble: standing.trouble.clone(),
            ..StreamState::default()
        });
        listener.stands(&standing);
    }
}

#[derive(Debug, Clone, Copy)]
struct Partition {
    at_end: bool,
    /// When its last message came; none since it was assigned.
    heard_at: Option<Instant>,
    assigned_at: Instant,
    checkpointed_at: Instant,
}

impl Partition {
    /// It has been read to its end, and nothing has come for so long that no ride of it is under way.
    fn is_quiet(&self) -> bool {
        self.at_end && self.heard_at.unwrap_or(self.assigned_at).elapsed() >= QUIET
    }
}

/// One connection's state.
struct Session<'c> {
    consumer: &'c Consumer,
    stream: StreamId,
    pipeline: Pipeline,
    writer: Writer,
    partitions: BTreeMap<i32, Partition>,
    told_at: Instant,
    /// When rides that are over were last taken off the live board.
    cleared_at: Instant,
    flushed_at: Instant,
    /// A partition's rides were ended by the wall clock, of which the log knows nothing.
    checkpoint_due: bool,
    /// Batches handed to the writer that are not in the store yet.
    unwritten: usize,
    /// Offsets that are in the store, of which Kafka was not told yet.
    stored: BTreeMap<i32, i64>,
    /// The group has said which partitions are ours, be it none.
    is_assigned: bool,
    /// What is wrong with the cluster, until it answers again.
    trouble: Option<String>,
    /// When it was last asked whether it does.
    asked_at: Instant,
    /// When the last trouble was over.
    recovered_at: Option<Instant>,
}

impl Session<'_> {
    fn event(
        &mut self,
        event: SourceEvent,
        source: &mut KafkaSource,
        listener: &mut dyn Listener,
    ) -> anyhow::Result<()> {
        match event {
            SourceEvent::Assigned(partitions) => {
                self.assign(&partitions)?;
                self.is_assigned = true;
                self.recover();
                self.drop_left_behind(source)?;
            }
            SourceEvent::Revoked(partitions) => {
                self.flush(true)?;
                self.restart_writer(listener)?;
                self.give_up(&partitions, source)?;
                self.is_assigned &= !self.partitions.is_empty();
            }
            SourceEvent::EndOfPartition(partition) => {
                if let Some(partition) = self.partitions.get_mut(&partition) {
                    partition.at_end = true;
                }
                self.recover();
            }
            SourceEvent::Gap { partition, from, to } => {
                tracing::warn!(
                    partition,
                    from,
                    to,
                    "the log no longer holds these messages; going on after them"
                );
                self.consumer
                    .store
                    .record_gap(&self.stream, &Gap { partition, from, to })?;
                self.pipeline.skip_to(partition, to);
            }
            SourceEvent::Error(text) => {
                tracing::warn!(reason = text, "Kafka reports a problem; the client goes on trying");
                self.trouble = Some(text);
            }
        }
        Ok(())
    }

    /// Whether the cluster answers again; asked now and then.
    fn is_over(&mut self, source: &KafkaSource) -> bool {
        if self.asked_at.elapsed() < RECONNECT {
            return false;
        }
        let answers = source.is_in_reach();
        self.asked_at = Instant::now();
        answers
    }

    /// The cluster answers again: what was written meanwhile is still to come, so nobody is known to be quiet.
    fn recover(&mut self) {
        if self.trouble.take().is_none() {
            return;
        }
        let now = Instant::now();
        self.recovered_at = Some(now);
        for partition in self.partitions.values_mut() {
            partition.heard_at = partition.heard_at.map(|_| now);
            partition.assigned_at = now;
        }
    }

    /// Takes partitions on. Where one begins elsewhere than the store left it, that is stored before anything is read.
    fn assign(&mut self, assigned: &[Assigned]) -> anyhow::Result<()> {
        let store = &self.consumer.store;
        for assigned in assigned.iter().filter(|assigned| !assigned.goes_on) {
            let to = Reposition {
                partition: assigned.partition,
                next_offset: assigned.offset,
                taken_over_until: assigned.taken_over_until,
            };
            let lost = store.open_rides_of(&self.stream, assigned.partition)?;
            store.reposition(&self.stream, &to, &lost)?;
        }
        let stored = store.positions(&self.stream)?;
        for stored in &stored {
            let Some(&Assigned { partition, offset, .. }) =
                assigned.iter().find(|assigned| assigned.partition == stored.partition)
            else {
                continue;
            };
            let from = self.pipeline.assign(stored)?;
            // Above: the log no longer holds what is between. Below: it is a new log.
            if offset != from {
                self.pipeline.skip_to(partition, offset);
            }
            if !self.pipeline.is_replaying(partition) {
                self.reconcile(partition)?;
            }
            self.partitions.insert(
                partition,
                Partition {
                    at_end: false,
                    heard_at: None,
                    assigned_at: Instant::now(),
                    checkpointed_at: Instant::now(),
                },
            );
            tracing::info!(partition, offset, "consuming");
        }
        // From here on there is always a checkpoint to bring the open rides back from.
        self.flush(true)
    }

    /// Drops what is under way in partitions that are others' now and have been read on: it is theirs. Whoever was killed
    /// could not give it up.
    fn drop_left_behind(&self, source: &KafkaSource) -> anyhow::Result<()> {
        let store = &self.consumer.store;
        let mut others = Vec::new();
        for stored in store.positions(&self.stream)? {
            if self.partitions.contains_key(&stored.partition) {
                continue;
            }
            let rides = store.open_rides_of(&self.stream, stored.partition)?;
            if !rides.is_empty() {
                others.push((stored, rides));
            }
        }
        let places: Vec<_> = others
            .iter()
            .map(|(stored, _)| (stored.partition, stored.next_offset))
            .collect();
        let left_behind = match source.left_behind(&places) {
            Ok(left_behind) => left_behind,
            Err(error) => {
                // Asked again at the next rebalance.
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot ask whether another consumer has read on in the partitions that were ours"
                );
                return Ok(());
            }
        };
        for (stored, rides) in others {
            if left_behind.contains(&stored.partition) {
                let stays = Reposition {
                    partition: stored.partition,
                    next_offset: stored.next_offset,
                    taken_over_until: stored.taken_over_until,
                };
                store.reposition(&self.stream, &stays, &rides)?;
                tracing::info!(
                    partition = stored.partition,
                    rides = rides.len(),
                    "dropped what another consumer has by now"
                );
            }
        }
        Ok(())
    }

    /// Gives partitions up to another consumer: what is under way there becomes that one's. Everything read has been
    /// written.
    fn give_up(&mut self, partitions: &[i32], source: &KafkaSource) -> anyhow::Result<()> {
        let mut handovers = Vec::new();
        for &partition in partitions {
            self.partitions.remove(&partition);
            let Some((offset, until)) = self.pipeline.handover(partition) else {
                continue;
            };
            self.pipeline.revoke(partition);
            // Should nobody read on, this store takes over from itself.
            let to = Reposition {
                partition,
                next_offset: offset,
                taken_over_until: Some(until),
            };
            let store = &self.consumer.store;
            let rides = store.open_rides_of(&self.stream, partition)?;
            store.reposition(&self.stream, &to, &rides)?;
            handovers.push((partition, offset, until));
            tracing::info!(
                partition,
                offset,
                until,
                rides = rides.len(),
                "given up to another consumer"
            );
        }
        // Who begins there without a word from us looks back for the headers of the rides under way.
        source.hand_over(&handovers).unwrap_or_else(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "cannot tell the next owner of these partitions where to begin"
            );
        });
        Ok(())
    }

    /// What is to be done between two polls.
    fn settle(&mut self, source: &KafkaSource, listener: &mut dyn Listener) -> anyhow::Result<()> {
        for partition in self.pipeline.take_replayed() {
            self.reconcile(partition)?;
        }
        for (&partition, state) in &self.partitions {
            if self.trouble.is_none() && state.is_quiet() && self.pipeline.has_open_rides(partition) {
                self.pipeline.close_all(partition);
                self.checkpoint_due = true;
            }
        }
        let interval = if self.pipeline.has_pending_rows() {
            FLUSH_INTERVAL
        } else {
            PLACE_INTERVAL
        };
        let is_late = self.pipeline.has_pending() && self.flushed_at.elapsed() >= interval;
        let is_urgent = self.pipeline.pending_alerts() > 0 && self.unwritten == 0;
        if self.pipeline.is_full() || is_late || is_urgent || self.checkpoint_due {
            self.flush(self.checkpoint_due)?;
        }
        self.hear(source, listener)?;
        if self.told_at.elapsed() < TELL_INTERVAL {
            return Ok(());
        }
        self.told_at = Instant::now();
        self.show();
        let standing = self.standing(source);
        self.consumer.live.set_stream(StreamState {
            is_connected: standing.trouble.is_none(),
            lag_messages: standing.lag_messages.and_then(|lag| u64::try_from(lag).ok()),
            trouble: standing.trouble.clone(),
        });
        listener.stands(&standing);
        Ok(())
    }

    fn reconcile(&mut self, partition: i32) -> anyhow::Result<()> {
        reconcile(&self.consumer.store, &self.stream, &mut self.pipeline, partition)
    }

    /// Writes what was collected, with the rides under way of the partitions whose turn it is, or of all.
    fn flush(&mut self, all_checkpoints: bool) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut due: Vec<(Instant, i32)> = self
            .partitions
            .iter()
            .map(|(&id, partition)| (partition.checkpointed_at, id))
            .filter(|(at, _)| all_checkpoints || now - *at >= CHECKPOINT_INTERVAL)
            .collect();
        if !all_checkpoints {
            due.sort_unstable();
            due.truncate(self.partitions.len().div_ceil(CHECKPOINT_TURNS));
        }
        let due: HashSet<i32> = due.into_iter().map(|(_, id)| id).collect();
        let batch = self.pipeline.take_batch(|partition| due.contains(&partition))?;
        self.flushed_at = now;
        for id in &due {
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.checkpointed_at = now;
            }
        }
        if all_checkpoints {
            self.checkpoint_due = false;
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.unwritten += 1;
        self.writer.write(batch)
    }

    /// Learns what was written, and tells Kafka for those who watch lag there.
    fn hear(&mut self, source: &KafkaSource, listener: &mut dyn Listener) -> anyhow::Result<()> {
        let written: Vec<_> = self.writer.written().collect();
        self.unwritten = self.unwritten.saturating_sub(written.len());
        for written in &written {
            listener.written(written);
            self.stored.extend(written.offsets.iter().copied());
        }
        let told: Vec<_> = std::mem::take(&mut self.stored)
            .into_iter()
            .filter_map(|(partition, offset)| {
                let until = self.pipeline.taken_over_until(partition)?;
                Some((partition, offset, until.max(offset)))
            })
            .collect();
        source.commit(&told)?;
        Ok(())
    }

    /// Waits until everything is written: before partitions are given up.
    fn restart_writer(&mut self, listener: &mut dyn Listener) -> anyhow::Result<()> {
        let fresh = self.consumer.start_writer(&self.stream)?;
        let written = std::mem::replace(&mut self.writer, fresh).finish()?;
        self.unwritten = 0;
        for written in &written {
            listener.written(written);
            self.stored.extend(written.offsets.iter().copied());
        }
        Ok(())
    }

    fn standing(&self, source: &KafkaSource) -> Standing {
        let lags: Option<Vec<i64>> = self
            .partitions
            .keys()
            .map(|&partition| source.lag(partition, self.pipeline.next_offset(partition).unwrap_or(0)))
            .collect();
        let behind = self
            .partitions
            .iter()
            .filter(|(_, partition)| !partition.at_end)
            .map(|(&id, _)| id);
        Standing {
            // What was read but is not in the store yet would be missing from a day that is sealed now. So would a ride
            // whose bike vanished while nobody listened: it is ended when its partition has been quiet for long enough.
            caught_up: self.is_assigned
                && self.trouble.is_none()
                && self.recovered_at.is_none_or(|at| at.elapsed() >= RECONNECT)
                && self.partitions.iter().all(|(&id, partition)| {
                    partition.at_end && (partition.heard_at.is_some() || !self.pipeline.has_open_rides(id))
                })
                && self.unwritten == 0
                && !self.pipeline.has_pending(),
            // A partition of which nothing was read yet vouches for no time at all.
            watermark: behind
                .map(|partition| {
                    self.pipeline
                        .sessions(partition)
                        .and_then(super::sessionize::Sessions::clock)
                })
                .collect::<Option<Vec<_>>>()
                .and_then(|clocks| clocks.into_iter().min())
                .map(instant),
            newest: self
                .pipeline
                .partitions()
                .filter_map(|partition| {
                    self.pipeline
                        .sessions(partition)
                        .and_then(super::sessionize::Sessions::clock)
                })
                .max()
                .map(instant),
            lag_messages: lags.map(|lags| lags.iter().sum()),
            open_rides: self.pipeline.open_rides().count(),
            trouble: self.trouble.clone(),
        }
    }

    /// Brings the live board up to date.
    fn show(&mut self) {
        self.pipeline.set_tombstones(self.consumer.store.tombstones());
        let live = &self.consumer.live;
        let rule = self.pipeline.rules().alerts;
        for ride in self.pipeline.open_rides_mut() {
            ride.show(live, &rule);
        }
        if self.told_at - self.cleared_at >= CLEAR_INTERVAL {
            self.cleared_at = self.told_at;
            let shown = self.pipeline.open_rides().filter(|ride| !ride.is_erased());
            let open: HashSet<Uuid> = shown.map(|ride| ride.ride_id).collect();
            live.retain(|ride| open.contains(&ride));
        }
    }

    /// Writes what is left. Where others remain in the group, they get the partitions with what is under way there.
    fn end(mut self, source: &KafkaSource, listener: &mut dyn Listener) -> anyhow::Result<()> {
        self.flush(true)?;
        self.consumer.live.retain(|_| false);
        self.restart_writer(listener)?;
        let partitions: Vec<i32> = self.partitions.keys().copied().collect();
        // A cluster that does not answer would not hear of a handover either.
        if self.trouble.is_none() && source.has_companions() {
            return self.give_up(&partitions, source);
        }
        self.hear(source, listener)
    }
}

#[cfg(test)]
#[path = "consume_tests.rs"]
mod tests;
