//! The consumer of a topic, for people who bet on it: where it begins, what it hands on, what it says when something is
//! wrong.

use std::{
    ffi::CString,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::Message as _,
};

use super::{
    Assigned, Polled, RawMessage, SourceEvent,
    batch::{BatchQueue, Taken},
    client::{Context, Report, Said},
    client_state::{ClientState, has_no_events, serve_events},
    config::{KafkaConfig, refused},
    handover::{Beginning, Committed},
    progress::Progress,
    scan::{ANSWER_TIMEOUT, scan},
    start::{at_headers, first_at},
    words::{explain, explain_error},
};
use crate::config::settings::StartAt;

/// Events are looked at least this often while there are no messages.
const EVENT_INTERVAL: Duration = Duration::from_millis(100);

/// How long a broker may take to answer a consumer that is about to leave.
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long closing the client may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How far the store has got with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The next offset that is not stored.
    pub next_offset: i64,
    /// Where to read from, to bring the open rides back.
    pub read_from: i64,
}

/// Answers how far the store has got with a partition. None on a first start.
pub type StoredOffset = Box<dyn FnMut(i32) -> anyhow::Result<Option<Stored>> + Send>;

/// A consumer of one topic.
pub struct KafkaSource {
    // Dropped in this order: the queue has to be empty before its client is closed.
    batch: BatchQueue<Context>,
    state: ClientState<Context>,
    consumer: Arc<BaseConsumer<Context>>,
    config: KafkaConfig,
    identity: String,
    stored_offset: StoredOffset,
    progress: Progress,
    /// A rebalance that is begun and not done.
    pending: Option<Rebalance>,
    said: Said,
    /// Raised when it is time to end.
    stop: Arc<AtomicBool>,
}

/// A rebalance of the group.
enum Rebalance {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
}

impl KafkaSource {
    /// Reaches the cluster, trying again and again until `stop` is raised: then there is none. `tell` hears of each
    /// failure. Nothing is consumed before [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// When the settings are wrong: what no waiting can mend.
    pub fn connect(
        config: KafkaConfig,
        stop: Arc<AtomicBool>,
        tell: &mut dyn FnMut(SourceEvent),
    ) -> anyhow::Result<Option<Self>> {
        config.check()?;
        let topic = CString::new(config.topic.as_str()).context("the topic's name contains a null")?;
        let consumer =
            BaseConsumer::from_config_and_context(&config.client_config(), Context::default()).map_err(refused)?;
        let consumer = Arc::new(consumer);
        let mut said = Said::default();
        loop {
            let answer = consumer.fetch_metadata(Some(&config.topic), Duration::from_secs(1));
            serve_events(&consumer);
            let Err(error) = answer else { break };
            // The client's own report knows the reason; the question only that there was no answer.
            let mut reports: Vec<_> = consumer.context().take_reports();
            if reports.is_empty() {
                reports.push(Report::Error(
                    error.rdkafka_error_code().unwrap_or(Code::AllBrokersDown),
                    String::new(),
                ));
            }
            for report in reports {
                if let Report::Error(code, reason) = report
                    && said.is_due(code)
                {
                    let text = explain(code, &reason, &config.topic, &config.group);
                    tell(SourceEvent::Error(text));
                }
            }
            if stop.load(Ordering::Relaxed) {
                consumer.context().close();
                return Ok(None);
            }
        }
        let identity = match &config.identity {
            Some(identity) => identity.clone(),
            // Clusters before 0.10.1 have no id: then the address they are known by has to do.
            None => match consumer.client().fetch_cluster_id(Duration::from_secs(2)) {
                Some(id) if !id.is_empty() => id,
                _ => format!("brokers:{}", config.brokers),
            },
        };
        Ok(Some(KafkaSource {
            batch: BatchQueue::new(Arc::clone(&consumer), &topic),
            state: ClientState::new(Arc::clone(&consumer), &topic),
            consumer,
            config,
            identity,
            stored_offset: Box::new(|_| Ok(None)),
            progress: Progress::default(),
            pending: None,
            said,
            stop,
        }))
    }

    /// What tells this log from any other: the cluster's id, or the one the configuration gives.
    #[must_use]
    pub fn identity(&self) -> String {
        self.identity.clone()
    }

    /// Joins the group. From now on `stored_offset` is asked where each assigned partition goes on.
    ///
    /// # Errors
    /// When the topic's name is none.
    pub fn subscribe(&mut self, stored_offset: StoredOffset) -> anyhow::Result<()> {
        self.stored_offset = stored_offset;
        self.consumer
            .subscribe(&[&self.config.topic])
            .with_context(|| format!("cannot subscribe to the topic `{}`", self.config.topic))
    }

    /// The next offset that the source will hand on; none when the partition is not assigned.
    #[must_use]
    pub fn position(&self, partition: i32) -> Option<i64> {
        self.progress.offset(partition)
    }

    /// Messages between `next_offset` and the end of the partition; none while the end is not known.
    #[must_use]
    pub fn lag(&self, partition: i32, next_offset: i64) -> Option<i64> {
        self.state.end_offset(partition).map(|end| (end - next_offset).max(0))
    }

    /// Waits up to `timeout` for messages or an event and hands on what there is, `max_messages` at most. Returns the
    /// number of messages. Nothing follows an `Assigned` or `Revoked` within the same poll.
    ///
    /// # Errors
    /// When the client is beyond help and a new source has to be connected. All else is a [`SourceEvent::Error`].
    pub fn poll(
        &mut self,
        timeout: Duration,
        max_messages: usize,
        sink: &mut dyn FnMut(Polled<'_>),
    ) -> anyhow::Result<usize> {
        let deadline = Instant::now() + timeout;
        loop {
            if self.serve_events(sink)? || !self.rebalance(sink)? {
                return Ok(0);
            }
            // Messages after a gap come once its owner has heard of it.
            if self.resume_lost(sink) {
                return Ok(0);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let (messages, events) = self.take(left.min(EVENT_INTERVAL), max_messages, sink);
            for partition in self.progress.take_ended() {
                sink(Polled::Event(SourceEvent::EndOfPartition(partition)));
            }
            if messages > 0 || events || left.is_zero() {
                return Ok(messages);
            }
        }
    }

    /// Tells Kafka the next offsets of partitions that go on being read, as (partition, offset, until): for those who
    /// watch lag there, and for whoever has to go on should this consumer vanish.
    ///
    /// # Errors
    /// When the request cannot be queued.
    pub fn commit(&self, offsets: &[(i32, i64, i64)]) -> anyhow::Result<()> {
        self.commit_to_kafka(offsets, false, CommitMode::Async)
    }

    /// Tells the next owner of partitions where to begin and until where rides that end are not its own, as (partition,
    /// offset, until), and waits for the answer.
    ///
    /// # Errors
    /// When Kafka refuses, or does not answer.
    pub fn hand_over(&self, partitions: &[(i32, i64, i64)]) -> anyhow::Result<()> {
        self.commit_to_kafka(partitions, true, CommitMode::Sync)
    }

    /// Whether the group has other members, who will get the partitions of one that leaves.
    #[must_use]
    pub fn has_companions(&self) -> bool {
        let (topic, group) = (&self.config.topic, &self.config.group);
        // Somebody has the other partitions.
        let is_partial = self
            .consumer
            .fetch_metadata(Some(topic), PARTING_TIMEOUT)
            .is_ok_and(|metadata| {
                metadata
                    .topics()
                    .iter()
                    .any(|topic| topic.partitions().len() > self.progress.offsets().count())
            });
        // Members may also wait without a partition. Who cannot find out is alone: what is kept here is found to be
        // another's when this one comes back.
        is_partial
            || self
                .consumer
                .fetch_group_list(Some(group), PARTING_TIMEOUT)
                .is_ok_and(|groups| groups.groups().iter().any(|group| group.members().len() > 1))
    }

    /// Whether the cluster answers by now. Waits for a second.
    #[must_use]
    pub fn is_in_reach(&self) -> bool {
        self.consumer
            .fetch_metadata(Some(&self.config.topic), PARTING_TIMEOUT)
            .is_ok()
    }

    fn commit_to_kafka(&self, offsets: &[(i32, i64, i64)], is_given_up: bool, mode: CommitMode) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for &(partition, offset, until) in offsets {
            let committed = Committed {
                offset,
                node: self.config.node.clone(),
                is_given_up,
                until,
            };
            let mut element = list.add_partition(&self.config.topic, partition);
            element
                .set_offset(Offset::Offset(offset))
                .with_context(|| format!("the offset of partition {partition} is none"))?;
            element.set_metadata(committed.note());
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer
            .commit(&list, mode)
            .context("cannot commit offsets to Kafka")
    }

    /// Takes in what the client has to say. True when the caller has to act before anything else is handed on.
    fn serve_events(&mut self, sink: &mut dyn FnMut(Polled<'_>)) -> anyhow::Result<bool> {
        // A revoke is done only now: its owner had the time since the last poll to write and commit.
        if let Some(Rebalance::Revoke(partitions)) = &self.pending {
            self.unassign(partitions)?;
            self.pending = None;
            self.progress.disturb_all();
        }
        pass_strays(&self.consumer, &self.state, &mut self.progress, sink);
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            bail!("{}", explain(code, &reason, &self.config.topic, &self.config.group));
        }
        while let Some(report) = self.consumer.context().next_report() {
            match report {
                Report::Assigned(partitions) => {
                    self.pending = Some(Rebalance::Assign(partitions));
                    return Ok(false);
                }
                Report::Revoked(partitions) => {
                    // What was never assigned to us is not ours to give up.
                    let ours = partitions
                        .iter()
                        .copied()
                        .filter(|&partition| self.progress.give_up(partition))
                        .collect();
                    self.pending = Some(Rebalance::Revoke(partitions));
                    self.progress.disturb_all();
                    sink(Polled::Event(SourceEvent::Revoked(ours)));
                    return Ok(true);
                }
                Report::Error(code, reason) => self.say(code, &reason, sink),
            }
        }
        Ok(false)
    }

    /// Carries out an assignment that is pending. False when it has just been done, or could not be.
    fn rebalance(&mut self, sink: &mut dyn FnMut(Polled<'_>)) -> anyhow::Result<bool> {
        let Some(Rebalance::Assign(partitions)) = &self.pending else {
            return Ok(true);
        };
        let partitions = partitions.clone();
        let mut starts = Vec::new();
        for &partition in &partitions {
            match self.start_of(partition) {
                Ok(start) => starts.push(start),
                Err(_) if self.stop.load(Ordering::Relaxed) => return Ok(false),
                Err(error) => {
                    // The broker is away: the next poll tries again.
                    let text = format!("cannot find where partition {partition} begins: {error:#}");
                    if self.said.is_due(Code::NoOffset) {
                        sink(Polled::Event(SourceEvent::Error(text)));
                    }
                    std::thread::sleep(EVENT_INTERVAL);
                    return Ok(false);
                }
            }
        }
        for (start, _) in &starts {
            self.batch.forward(start.partition);
        }
        let list = self.list(starts.iter().map(|(start, _)| (start.partition, Some(start.offset))))?;
        let assigned = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&list),
            _ => self.consumer.assign(&list),
        };
        assigned.context("cannot take the assigned partitions")?;
        self.pending = None;
        self.progress.disturb_all();
        for &(start, gap_from) in &starts {
            self.progress.begin(start.partition, start.offset);
            if let Some(from) = gap_from {
                sink(Polled::Event(SourceEvent::Gap {
                    partition: start.partition,
                    from,
                    to: start.offset,
                }));
            }
        }
        let starts = starts.iter().map(|&(start, _)| start).collect();
        sink(Polled::Event(SourceEvent::Assigned(starts)));
        Ok(false)
    }

    /// Where a partition begins, and from which offset on it should have.
    fn start_of(&mut self, partition: i32) -> anyhow::Result<(Assigned, Option<i64>)> {
        let stored = (self.stored_offset)(partition)?;
        let (oldest, end) = self.watermarks(partition)?;
        // Beyond the end it is from before the log was made anew.
        let committed = self.committed(partition)?.filter(|committed| committed.offset <= end);
        let next_offset = stored.map(|stored| stored.next_offset);
        let beginning = Beginning::of(next_offset, committed.as_ref(), &self.config.node);
        let start = |offset| Assigned {
            partition,
            offset,
            goes_on: false,
            taken_over_until: None,
        };
        Ok(match (beginning, stored) {
            (Beginning::Stored, Some(stored)) => {
                // A log that ends before what was stored of it is another one, or lost its end and is written anew.
                let is_cut = stored.next_offset > end;
                let is_there = !is_cut && (oldest..=end).contains(&stored.read_from);
                let expected = if is_cut { stored.next_offset } else { stored.read_from };
                let went_on = Assigned {
                    goes_on: true,
                    ..start(if is_there { stored.read_from } else { oldest })
                };
                (went_on, (!is_there).then_some(expected))
            }
            (Beginning::HandedOver { offset, until } | Beginning::Vanished { offset, until }, _) => {
                let from = match beginning {
                    _ if offset < oldest => oldest,
                    Beginning::Vanished { .. } => self.headers_before(partition, oldest..offset)?,
                    _ => offset,
                };
                let taken_over = Assigned {
                    taken_over_until: Some(until),
                    ..start(from)
                };
                (taken_over, (offset < oldest).then_some(offset))
            }
            (Beginning::First | Beginning::Stored, _) => (start(self.first_start(partition, oldest..end)?), None),
        })
    }

    /// Where the start rule begins with a partition that nobody has read.
    fn first_start(&self, partition: i32, log: Range<i64>) -> anyhow::Result<i64> {
        match self.config.start {
            StartAt::Earliest => Ok(log.start),
            StartAt::Latest => Ok(log.end),
            StartAt::Time(time) => {
                let consumer = self.scanner()?;
                let topic = &self.config.topic;
                first_at(
                    log,
                    time.timestamp_micros(),
                    self.config.log_timezone,
                    &mut |range, each| scan(&consumer, &self.stop, topic, partition, range, each),
                )
            }
            StartAt::Lookback => self.headers_before(partition, log),
        }
    }

    /// The oldest header of the rides under way at the end of `log`.
    fn headers_before(&self, partition: i32, log: Range<i64>) -> anyhow::Result<i64> {
        let consumer = self.scanner()?;
        let (limit, zone) = (self.config.lookback, self.config.log_timezone);
        at_headers(log, limit, zone, &mut |range, each| {
            scan(&consumer, &self.stop, &self.config.topic, partition, range, each)
        })
    }

    /// Of partitions that are others' now, given with the next offset in the store, those that the group has moved on in
    /// without us.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn left_behind(&self, partitions: &[(i32, i64)]) -> anyhow::Result<Vec<i32>> {
        let mut left_behind = Vec::new();
        for &(partition, next_offset) in partitions {
            let committed = self.committed(partition)?;
            let beginning = Beginning::of(Some(next_offset), committed.as_ref(), &self.config.node);
            if beginning != Beginning::Stored {
                left_behind.push(partition);
            }
        }
        Ok(left_behind)
    }

    /// What a consumer of the group committed of the partition.
    fn committed(&self, partition: i32) -> anyhow::Result<Option<Committed>> {
        let asked = self.list([(partition, None)].into_iter())?;
        let answer = self
            .consumer
            .committed_offsets(asked, ANSWER_TIMEOUT)
            .map_err(|error| anyhow::anyhow!(explain_error(&error, &self.config.topic, &self.config.group)))?;
        let elements = answer.elements();
        Ok(elements.first().and_then(|element| match element.offset() {
            Offset::Offset(offset) => Committed::read(offset, element.metadata()),
            _ => None,
        }))
    }

    /// Leaves the group and closes the client. One that waits for a cluster that is gone is left behind: librdkafka
    /// sets itself no limit.
    pub fn close(self) {
        let (open, closed) = mpsc::channel::<()>();
        let closing = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
            drop(self);
            drop(open);
        });
        match closing {
            Err(error) => tracing::warn!(%error, "cannot close the Kafka client aside"),
            Ok(_) if closed.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("the Kafka client does not close; it is left behind");
            }
            Ok(_) => {}
        }
    }

    /// A second client that reads around without touching the group.
    fn scanner(&self) -> anyhow::Result<BaseConsumer> {
        self.config.client_config().create().map_err(refused)
    }

    fn watermarks(&self, partition: i32) -> anyhow::Result<(i64, i64)> {
        self.consumer
            .fetch_watermarks(&self.config.topic, partition, ANSWER_TIMEOUT)
            .map_err(|error| anyhow::anyhow!(explain_error(&error, &self.config.topic, &self.config.group)))
    }

    /// Hands on messages; returns how many, and whether there was an event.
    fn take(&mut self, timeout: Duration, max: usize, sink: &mut dyn FnMut(Polled<'_>)) -> (usize, bool) {
        let KafkaSource {
            batch,
            state,
            consumer,
            progress,
            said,
            config,
            ..
        } = self;
        let (mut messages, mut events) = (0, false);
        for (partition, _) in progress.offsets() {
            batch.forward(partition);
        }
        batch.take(timeout, max, |taken| match taken {
            Taken::Message(message) => {
                // Where offsets are missing, which is legal, what is between may have strayed.
                if progress
                    .offset(message.partition)
                    .is_some_and(|expected| message.offset > expected)
                {
                    pass_strays(consumer, state, progress, sink);
                }
                if progress.admits(&message) {
                    messages += 1;
                    sink(Polled::Message(message));
                }
            }
            Taken::PartitionError(partition, ..) if progress.offset(partition).is_none() => {}
            Taken::PartitionError(partition, end, Code::PartitionEOF) => {
                events = true;
                progress.at_end(partition, end);
            }
            Taken::PartitionError(partition, _, Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                progress.lose(partition);
            }
            Taken::PartitionError(_, _, code) => {
                events = true;
                if said.is_due(code) {
                    let text = explain(code, "", &config.topic, &config.group);
                    sink(Polled::Event(SourceEvent::Error(text)));
                }
            }
        });
        if messages > 0 {
            said.forget();
        }
        (messages, events)
    }

    /// Begins anew where fetching has failed: at the oldest message where the next one is gone. Where it is there,
    /// librdkafka only failed to make sure of it, as after a rebalance.
    fn resume_lost(&mut self, sink: &mut dyn FnMut(Polled<'_>)) -> bool {
        let mut has_gap = false;
        for (partition, from) in self.progress.lost() {
            let resumed = self.watermarks(partition).and_then(|(oldest, end)| {
                let to = if (oldest..=end).contains(&from) { from } else { oldest };
                self.restart_at(partition, to)
                    .with_context(|| format!("cannot go on at offset {to} of partition {partition}"))?;
                Ok(to)
            });
            match resumed {
                Ok(to) => {
                    tracing::debug!(partition, from, to, "fetching anew");
                    self.progress.begin(partition, to);
                    if to != from {
                        has_gap = true;
                        sink(Polled::Event(SourceEvent::Gap { partition, from, to }));
                    }
                }
                Err(error) => {
                    if self.said.is_due(Code::AutoOffsetReset) {
                        sink(Polled::Event(SourceEvent::Error(format!("{error:#}"))));
                    }
                }
            }
        }
        has_gap
    }

    /// Fetches a partition from another offset. Not by a seek, which librdkafka refuses where fetching has failed.
    fn restart_at(&mut self, partition: i32, offset: i64) -> anyhow::Result<()> {
        let restarted = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                self.unassign(&[partition])?;
                self.consumer
                    .incremental_assign(&self.list([(partition, Some(offset))].into_iter())?)
            }
            // All of them anew; what is fetched twice is below the next expected offset.
            _ => {
                self.progress.begin_all();
                let offsets = self
                    .progress
                    .offsets()
                    .map(|(other, next)| (other, Some(if other == partition { offset } else { next })));
                self.consumer.assign(&self.list(offsets)?)
            }
        };
        restarted.context("librdkafka refuses the assignment")
    }

    fn unassign(&self, partitions: &[i32]) -> anyhow::Result<()> {
        let done = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self
                .consumer
                .incremental_unassign(&self.list(partitions.iter().map(|&p| (p, None)))?),
            _ => self.consumer.unassign(),
        };
        done.context("cannot give up the revoked partitions")
    }

    fn list(&self, partitions: impl Iterator<Item = (i32, Option<i64>)>) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            let offset = offset.map_or(Offset::Invalid, Offset::Offset);
            list.add_partition_offset(&self.config.topic, partition, offset)
                .with_context(|| format!("the offset of partition {partition} is none"))?;
        }
        Ok(list)
    }

    fn say(&mut self, code: Code, reason: &str, sink: &mut dyn FnMut(Polled<'_>)) {
        if self.said.is_due(code) {
            let text = explain(code, reason, &self.config.topic, &self.config.group);
            sink(Polled::Event(SourceEvent::Error(text)));
        }
    }
}

/// Serves the consumer's own queue until it is empty, and hands on messages that took this way: until librdkafka is told
/// anew, it forgets where to forward a partition that it stopped and started.
fn pass_strays(
    consumer: &BaseConsumer<Context>,
    state: &ClientState<Context>,
    progress: &mut Progress,
    sink: &mut dyn FnMut(Polled<'_>),
) {
    loop {
        match consumer.poll(Duration::ZERO) {
            None if has_no_events(consumer) => return,
            None => {}
            Some(Ok(message)) => {
                let message = RawMessage {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp_millis: message.timestamp().to_millis().filter(|&millis| millis > 0),
                    key: message.key(),
                    payload: message.payload().unwrap_or_default(),
                };
                if progress.admits(&message) {
                    sink(Polled::Message(message));
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if let Some(end) = state.end_offset(partition) {
                    progress.at_end(partition, end);
                }
            }
            // It does not say of which partition.
            Some(Err(KafkaError::MessageConsumption(Code::AutoOffsetReset | Code::OffsetOutOfRange))) => {
                progress.lose_all();
            }
            // Said by the client's own report as well.
            Some(Err(_)) => {}
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().close();
        // An assignment or a revoke that nobody finishes would keep the client from closing.
        if self.pending.is_some()
            && let Err(error) = self.consumer.unassign()
        {
            tracing::debug!(%error, "could not give up partitions at the end");
        }
    }
}
