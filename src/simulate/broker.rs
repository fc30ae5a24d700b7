//! The simulated bikes live, over Kafka's protocol: an embedded broker for demos and tests, and a producer that keeps
//! real time for it or for any other.
//!
//! The embedded broker is librdkafka's mock cluster: real protocol over TCP, in memory, the oldest messages silently
//! dropped beyond 5 MiB or 100,000 batches a partition; so a few hundred messages a second and no more.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{FaultyLines, envelope::write_payload};
use crate::config::settings::KafkaProperty;

/// A waiting producer looks this often whether it has to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// At the end, lines on their way get this long to arrive.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// A broker inside this process. Stops when dropped, within a second.
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    identity: String,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl EmbeddedBroker {
    /// Starts a broker on loopback with one topic.
    ///
    /// # Errors
    /// When no port or no memory can be had.
    pub fn start(topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (started, answer) = mpsc::channel();
        let broker_thread = {
            let (stop, topic) = (Arc::clone(&stop), topic.to_owned());
            // The cluster may not change threads, so it lives and dies in one of its own.
            thread::Builder::new()
                .name("embedded-broker".to_owned())
                .spawn(move || {
                    let cluster = MockCluster::new(1).and_then(|cluster| {
                        cluster.create_topic(&topic, partitions, 1)?;
                        Ok(cluster)
                    });
                    let address = cluster
                        .as_ref()
                        .map(MockCluster::bootstrap_servers)
                        .map_err(Clone::clone);
                    if started.send(address).is_ok() {
                        while !stop.load(Ordering::Relaxed) {
                            thread::park_timeout(Duration::from_secs(60));
                        }
                    }
                })?
        };
        let bootstrap_servers = answer
            .recv()
            .map_err(|_| anyhow!("the embedded broker ended as it began"))?
            .context("cannot start the embedded broker")?;
        Ok(EmbeddedBroker {
            bootstrap_servers,
            // The cluster's own id comes from an address in memory and may come again.
            identity: format!("embedded-{:016x}", RandomState::new().hash_one(std::process::id())),
            stop,
            threads: vec![broker_thread],
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.bootstrap_servers.clone()
    }

    /// What tells this start's log from any other's: every start is a new log from offset 0.
    #[must_use]
    pub fn identity(&self) -> String {
        self.identity.clone()
    }

    /// Produces the lines into `topic` in real time, `from` being now, until they end or the broker is dropped.
    ///
    /// # Errors
    /// When no thread or no client can be made.
    pub fn produce(&mut self, topic: &str, lines: FaultyLines, from: DateTime<Utc>) -> anyhow::Result<()> {
        let mut producer = LiveProducer::new(&self.bootstrap_servers, topic, &[])?;
        let stop = Arc::clone(&self.stop);
        let produce = move || {
            if let Err(error) = producer.produce(lines, from, 1.0, &stop) {
                tracing::error!(error = format!("{error:#}"), "the simulated bikes have stopped");
            }
        };
        self.threads.push(
            thread::Builder::new()
                .name("simulated-bikes".to_owned())
                .spawn(produce)?,
        );
        Ok(())
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The bikes before their broker, which is the first thread.
        for thread in self.threads.drain(..).rev() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::warn!("a thread of the embedded broker panicked");
            }
        }
    }
}

/// Sends lines to a broker when they are due.
pub struct LiveProducer {
    producer: BaseProducer,
    topic: String,
    payload: Vec<u8>,
}

impl LiveProducer {
    /// A producer for a topic; `properties` are librdkafka's.
    ///
    /// # Errors
    /// When a property is wrong; its value is not told.
    pub fn new(brokers: &str, topic: &str, properties: &[KafkaProperty]) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("client.id", "deloton-simulate").set("linger.ms", "5");
        for KafkaProperty { key, value } in properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", brokers);
        let producer = config.create().map_err(|error| match error {
            KafkaError::ClientConfig(_, why, key, value) if !value.is_empty() => {
                anyhow!("the Kafka property `{key}` is wrong: {}", why.replace(&value, "…"))
            }
            other => anyhow::Error::new(other).context("cannot make a Kafka producer"),
        })?;
        Ok(LiveProducer {
            producer,
            topic: topic.to_owned(),
            payload: Vec::with_capacity(512),
        })
    }

    /// Sends each line when it is due: `from` is now, and log time goes `speed` times as fast as real time. Returns the
    /// number of lines sent when they end or `stop` is set.
    ///
    /// # Errors
    /// When a line cannot be sent for another reason than a full queue.
    pub fn produce(
        &mut self,
        mut lines: FaultyLines,
        from: DateTime<Utc>,
        speed: f64,
        stop: &AtomicBool,
    ) -> anyhow::Result<u64> {
        if !(speed > 0.0 && speed.is_finite()) {
            bail!("the speed is {speed}, expected a number above 0");
        }
        // A clock that cannot be set: the bikes neither stop nor hurry when the machine's is.
        let started = Instant::now();
        let mut sent = 0;
        while let Some(line) = lines.next_line() {
            let due = (line.at - from)
                .max(TimeDelta::zero())
                .to_std()
                .unwrap_or_default()
                .div_f64(speed);
            loop {
                let left = due.saturating_sub(started.elapsed());
                if stop.load(Ordering::Relaxed) {
                    self.finish();
                    return Ok(sent);
                }
                if left.is_zero() {
                    break;
                }
                self.producer.poll(Duration::ZERO);
                thread::sleep(left.min(STOP_INTERVAL));
            }
            self.payload.clear();
            write_payload(&line, &mut self.payload);
            self.send(line.serial, line.at.timestamp_millis(), stop)?;
            sent += 1;
        }
        self.finish();
        Ok(sent)
    }

    fn send(&self, key: &str, timestamp_millis: i64, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(&self.topic)
            .key(key)
            .payload(&self.payload)
            .timestamp(timestamp_millis);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    self.producer.poll(STOP_INTERVAL);
                    record = back;
                }
                Err((error, _)) => {
                    return Err(anyhow::Error::new(error).context(format!("cannot send to the topic `{}`", self.topic)));
                }
            }
        }
    }

    fn finish(&self) {
        if let Err(error) = self.producer.flush(FLUSH_TIMEOUT) {
            tracing::debug!(%error, "the last simulated lines did not arrive");
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::{
        Message as _, Offset, TopicPartitionList,
        consumer::{BaseConsumer, Consumer as _},
    };

    use super::*;
    use crate::{
        domain::day::Span,
        simulate::{Faults, Fleet, FleetConfig},
    };

    #[test]
    fn the_embedded_broker_serves_live_bikes_and_stops_at_once() {
        let from: DateTime<Utc> = "2026-05-01T03:00:00Z".parse().unwrap();
        let fleet = Fleet::new(FleetConfig {
            bikes: 40,
            demo_from: Some(from),
            ..FleetConfig::default()
        });
        let span = Span {
            start: from,
            end: from + TimeDelta::hours(1),
        };
        let mut broker = EmbeddedBroker::start("deloton", 2).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "test")
            // A commit that the broker does not answer would keep the client from closing once it is gone.
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..2 {
            list.add_partition_offset("deloton", partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        broker
            .produce("deloton", fleet.lines(span).with_faults(Faults::default(), 1), from)
            .unwrap();
        let began = Instant::now();
        let mut expected = fleet.lines(span);
        let mut by_bike: std::collections::HashMap<String, Vec<Vec<u8>>> = std::collections::HashMap::new();
        let mut received = 0;
        while received < 20 {
            assert!(began.elapsed() < Duration::from_secs(30), "{received} lines");
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                let message = message.unwrap();
                let age = from.timestamp_millis() + i64::try_from(began.elapsed().as_millis()).unwrap();
                assert!(
                    message.timestamp().to_millis().unwrap() <= age + 50,
                    "not before its time"
                );
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                by_bike
                    .entry(key)
                    .or_default()
                    .push(message.payload().unwrap().to_vec());
                received += 1;
            }
        }
        // What came is what the fleet writes, in each bike's order.
        let mut sent: std::collections::HashMap<String, Vec<Vec<u8>>> = std::collections::HashMap::new();
        for _ in 0..2_000 {
            let line = expected.next_line().unwrap();
            let mut payload = Vec::new();
            write_payload(&line, &mut payload);
            sent.entry(line.serial.to_owned()).or_default().push(payload);
        }
        for (bike, lines) in by_bike {
            assert_eq!(lines[..], sent[&bike][..lines.len()]);
        }
        assert_ne!(
            broker.identity(),
            EmbeddedBroker::start("deloton", 1).unwrap().identity()
        );
        let stopping = Instant::now();
        drop(broker);
        assert!(stopping.elapsed() < Duration::from_secs(1), "{:?}", stopping.elapsed());
    }

    #[test]
    fn a_wrong_property_is_named_without_its_value() {
        let property = "security.protocol=hunter2".parse().unwrap();
        let error = LiveProducer::new("127.0.0.1:1", "deloton", &[property])
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("`security.protocol`") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
