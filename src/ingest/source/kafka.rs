//! The consumer of a topic, for people who bet on it: where it begins, what it hands on, what it says when something is
//! wrong.

use std::{
    collections::BTreeMap,
    ffi::CString,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol},
    error::RDKafkaErrorCode as Code,
};

use super::{
    Polled, RawMessage, SourceEvent,
    batch::{BatchQueue, Taken},
    client::{Context, Report, Said},
    config::{KafkaConfig, refused},
    scan::{ANSWER_TIMEOUT, scan},
    start::{at_headers, first_at},
    words::{explain, explain_error},
};
use crate::config::settings::StartAt;

/// Events are looked at least this often while there are no messages.
const EVENT_INTERVAL: Duration = Duration::from_millis(100);

/// Answers with the stored offset of a partition: the next one to read. None on a first start.
pub type StoredOffset = Box<dyn FnMut(i32) -> anyhow::Result<Option<i64>> + Send>;

/// A consumer of one topic.
pub struct KafkaSource {
    // Dropped in this order: the queue has to be empty before its client is closed.
    batch: BatchQueue<Context>,
    consumer: Arc<BaseConsumer<Context>>,
    config: KafkaConfig,
    identity: String,
    stored_offset: StoredOffset,
    /// The next offset expected, by assigned partition.
    next: BTreeMap<i32, i64>,
    /// A rebalance that is begun and not done.
    pending: Option<Rebalance>,
    /// Partitions whose next offset is gone and that go on at the oldest there is.
    lost: Vec<i32>,
    said: Said,
}

enum Rebalance {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
}

impl KafkaSource {
    /// Reaches the cluster, trying for as long as `go_on` answers true; it is told of each failure. None when it did not.
    /// Nothing is consumed before [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// When the settings are wrong: what no waiting can mend.
    pub fn connect(
        config: KafkaConfig,
        go_on: &mut dyn FnMut(Option<SourceEvent>) -> bool,
    ) -> anyhow::Result<Option<Self>> {
        config.check()?;
        let topic = CString::new(config.topic.as_str()).context("the topic's name contains a null")?;
        let consumer =
            BaseConsumer::from_config_and_context(&config.client_config(), Context::default()).map_err(refused)?;
        let consumer = Arc::new(consumer);
        let mut said = Said::default();
        loop {
            let answer = consumer.fetch_metadata(Some(&config.topic), Duration::from_secs(1));
            while consumer.poll(Duration::ZERO).is_some() {}
            let Err(error) = answer else { break };
            // The client's own report knows the reason; the question only that there was no answer.
            let mut reports: Vec<_> = consumer.context().take_reports();
            if reports.is_empty() {
                reports.push(Report::Error(
                    error.rdkafka_error_code().unwrap_or(Code::AllBrokersDown),
                    String::new(),
                ));
            }
            let mut goes_on = go_on(None);
            for report in reports {
                if let Report::Error(code, reason) = report
                    && said.is_due(code)
                {
                    let text = explain(code, &reason, &config.topic, &config.group);
                    goes_on &= go_on(Some(SourceEvent::Error(text)));
                }
            }
            if !goes_on {
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
            consumer,
            config,
            identity,
            stored_offset: Box::new(|_| Ok(None)),
            next: BTreeMap::new(),
            pending: None,
            lost: Vec::new(),
            said,
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
        self.next.get(&partition).copied()
    }

    /// Messages between `next_offset` and the end of the partition; none while the end is not known.
    #[must_use]
    pub fn lag(&self, partition: i32, next_offset: i64) -> Option<i64> {
        self.batch.end_offset(partition).map(|end| (end - next_offset).max(0))
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
            self.resume_lost(sink);
            let left = deadline.saturating_duration_since(Instant::now());
            let (messages, events) = self.take(left.min(EVENT_INTERVAL), max_messages, sink);
            if messages > 0 || events || left.is_zero() {
                return Ok(messages);
            }
        }
    }

    /// Tells Kafka the offsets, for those who watch lag there. Nothing here is read back.
    ///
    /// # Errors
    /// When the request cannot be queued.
    pub fn commit(&self, offsets: &[(i32, i64)]) -> anyhow::Result<()> {
        self.commit_to_kafka(offsets, CommitMode::Async)
    }

    /// The same, waiting for the answer: for a revoke, whose next owner reads them.
    ///
    /// # Errors
    /// When Kafka refuses, or does not answer.
    pub fn commit_and_wait(&self, offsets: &[(i32, i64)]) -> anyhow::Result<()> {
        self.commit_to_kafka(offsets, CommitMode::Sync)
    }

    fn commit_to_kafka(&self, offsets: &[(i32, i64)], mode: CommitMode) -> anyhow::Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let list = self.list(offsets.iter().map(|&(partition, offset)| (partition, Some(offset))))?;
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
        }
        loop {
            let polled = self.consumer.poll(Duration::ZERO);
            if let Some((code, reason)) = self.consumer.client().fatal_error() {
                bail!("{}", explain(code, &reason, &self.config.topic, &self.config.group));
            }
            let report = self.consumer.context().next_report();
            match report {
                Some(Report::Assigned(partitions)) => {
                    self.pending = Some(Rebalance::Assign(partitions));
                    return Ok(false);
                }
                Some(Report::Revoked(partitions)) => {
                    // What was never assigned to us is not ours to give up.
                    let ours = partitions
                        .iter()
                        .copied()
                        .filter(|p| self.next.remove(p).is_some())
                        .collect();
                    self.lost.retain(|partition| !partitions.contains(partition));
                    self.pending = Some(Rebalance::Revoke(partitions));
                    sink(Polled::Event(SourceEvent::Revoked(ours)));
                    return Ok(true);
                }
                Some(Report::Error(code, reason)) => self.say(code, &reason, sink),
                None if polled.is_none() => return Ok(false),
                None => {}
            }
        }
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
                Ok(start) => starts.push((partition, start)),
                Err(error) => {
                    // The broker is away: the next poll tries again.
                    let text = format!("cannot find where partition {partition} begins: {error:#}");
                    if self.said.is_due(Code::PartitionEOF) {
                        sink(Polled::Event(SourceEvent::Error(text)));
                    }
                    std::thread::sleep(EVENT_INTERVAL);
                    return Ok(false);
                }
            }
        }
        for &(partition, _) in &starts {
            self.batch.forward(partition);
        }
        let list = self.list(starts.iter().map(|&(partition, (offset, _))| (partition, Some(offset))))?;
        let assigned = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&list),
            _ => self.consumer.assign(&list),
        };
        assigned.context("cannot take the assigned partitions")?;
        self.pending = None;
        for &(partition, (offset, gap_from)) in &starts {
            self.next.insert(partition, offset);
            if let Some(from) = gap_from {
                sink(Polled::Event(SourceEvent::Gap {
                    partition,
                    from,
                    to: offset,
                }));
            }
        }
        sink(Polled::Event(SourceEvent::Assigned(partitions)));
        Ok(false)
    }

    /// Where a partition begins, and from which offset on it should have.
    fn start_of(&mut self, partition: i32) -> anyhow::Result<(i64, Option<i64>)> {
        let stored = (self.stored_offset)(partition)?;
        let (oldest, end) = self.watermarks(partition)?;
        let zone = self.config.log_timezone;
        let scan = |consumer: &BaseConsumer, range: Range<i64>, each: &mut dyn FnMut(&RawMessage<'_>) -> bool| {
            scan(consumer, &self.config.topic, partition, range, each)
        };
        match (stored, self.config.start) {
            (Some(stored), _) if (oldest..=end).contains(&stored) => Ok((stored, None)),
            (Some(stored), _) => Ok((oldest, Some(stored))),
            (None, StartAt::Earliest) => Ok((oldest, None)),
            (None, StartAt::Latest) => Ok((end, None)),
            (None, StartAt::Time(time)) => {
                let consumer = self.scanner()?;
                let found = first_at(oldest..end, time.timestamp_micros(), zone, &mut |range, each| {
                    scan(&consumer, range, each)
                })?;
                Ok((found, None))
            }
            (None, StartAt::Lookback) => {
                let consumer = self.scanner()?;
                let found = at_headers(oldest..end, self.config.lookback, zone, &mut |range, each| {
                    scan(&consumer, range, each)
                })?;
                Ok((found, None))
            }
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
            next,
            lost,
            said,
            config,
            ..
        } = self;
        let (mut messages, mut events) = (0, false);
        for &partition in next.keys() {
            batch.forward(partition);
        }
        batch.take(timeout, max, |taken| match taken {
            Taken::Message(message) => {
                // A batch may hold messages of partitions that were given up, or from before a seek.
                if let Some(next) = next.get_mut(&message.partition)
                    && message.offset >= *next
                {
                    *next = message.offset + 1;
                    messages += 1;
                    sink(Polled::Message(message));
                }
            }
            Taken::PartitionError(partition, _) if !next.contains_key(&partition) => {}
            Taken::PartitionError(partition, Code::PartitionEOF) => {
                events = true;
                sink(Polled::Event(SourceEvent::EndOfPartition(partition)));
            }
            Taken::PartitionError(partition, Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                if !lost.contains(&partition) {
                    lost.push(partition);
                }
            }
            Taken::PartitionError(_, code) => {
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

    /// Goes on at the oldest message where the next one is gone.
    fn resume_lost(&mut self, sink: &mut dyn FnMut(Polled<'_>)) {
        for partition in std::mem::take(&mut self.lost) {
            let Some(&from) = self.next.get(&partition) else {
                continue;
            };
            let resumed = self.watermarks(partition).and_then(|(oldest, _)| {
                self.restart_at(partition, oldest)
                    .with_context(|| format!("cannot go on at offset {oldest} of partition {partition}"))?;
                Ok(oldest)
            });
            match resumed {
                Ok(to) => {
                    self.next.insert(partition, to);
                    sink(Polled::Event(SourceEvent::Gap { partition, from, to }));
                }
                Err(error) => {
                    self.lost.push(partition);
                    if self.said.is_due(Code::AutoOffsetReset) {
                        sink(Polled::Event(SourceEvent::Error(format!("{error:#}"))));
                    }
                }
            }
        }
    }

    /// Fetches a partition from another offset. Not by a seek, which librdkafka refuses where fetching has failed.
    fn restart_at(&self, partition: i32, offset: i64) -> anyhow::Result<()> {
        let restarted = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                self.unassign(&[partition])?;
                self.consumer
                    .incremental_assign(&self.list([(partition, Some(offset))].into_iter())?)
            }
            // All of them anew; what is fetched twice is below the next expected offset.
            _ => {
                let offsets = self
                    .next
                    .iter()
                    .map(|(&other, &next)| (other, Some(if other == partition { offset } else { next })));
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
