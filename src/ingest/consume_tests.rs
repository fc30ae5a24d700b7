use std::collections::HashSet;

use chrono::{DateTime, TimeDelta};
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
};

use super::*;
use crate::{
    clock::Clock,
    config::settings::{KafkaProperty, StartAt},
    ingest::{file::ingest, source::RawMessage},
    store::fixture::{number, rows},
};

const TOPIC: &str = "deloton";

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn start() -> Self {
        Broker::of(1)
    }

    fn of(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, partitions, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .create()
            .unwrap();
        Broker { cluster, producer }
    }

    fn send(&self, payloads: &[String]) {
        self.send_to(0, payloads);
    }

    fn send_to(&self, partition: i32, payloads: &[String]) {
        for payload in payloads {
            let at = start().timestamp_millis();
            let record = BaseRecord::to(TOPIC)
                .partition(partition)
                .key("SN0001")
                .payload(payload)
                .timestamp(at);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(Duration::from_secs(10)).unwrap();
    }
}

fn start() -> DateTime<Utc> {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

/// A header at `at` seconds, and the seconds of riding in `seconds`.
fn header(at: i64) -> Vec<String> {
    let stamp = stamp(at);
    [
        format!("{stamp} mendoza v9: Getting user data from server.."),
        format!(r#"{stamp} mendoza v9: [SYSTEM] data = {{\"user_id\":7,\"bike_serial\":\"SN0001\"}}"#),
    ]
    .map(|line| format!(r#"{{"log": "{line}\n"}}"#))
    .into()
}

fn riding(at: i64, seconds: std::ops::RangeInclusive<i64>) -> Vec<String> {
    seconds
        .flat_map(|second| {
            let stamp = stamp(at + second);
            [
                format!("{stamp} mendoza v9: [INFO]: Ride - duration = {second}.0; resistance = 30"),
                format!("{stamp} mendoza v9: [INFO]: Telemetry - hrt = 100; rpm = 60; power = 50.0"),
            ]
        })
        .map(|line| format!(r#"{{"log": "{line}\n"}}"#))
        .collect()
}

fn stamp(at: i64) -> String {
    (start() + TimeDelta::seconds(at))
        .format("%Y-%m-%d %H:%M:%S%.6f")
        .to_string()
}

struct Quietly;

impl Listener for Quietly {
    fn written(&mut self, _: &Written) {}
    fn stands(&mut self, _: &Standing) {}
}

/// Consumes as cluster `identity` until `enough` rows come back from `sql`, with a clean end.
fn consume_until(store: &Store, broker: &Broker, identity: &str, mut enough: impl FnMut() -> bool) {
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = Consumer {
        store: store.clone(),
        rules: Rules::default(),
        log_timezone: Tz::UTC,
        kafka: KafkaConfig {
            brokers: broker.cluster.bootstrap_servers(),
            topic: TOPIC.to_owned(),
            group: "test".to_owned(),
            // The mock gives the members of a group a session's time to come together again.
            properties: [("session.timeout.ms", "3000"), ("heartbeat.interval.ms", "500")]
                .map(|(key, value)| KafkaProperty {
                    key: key.to_owned(),
                    value: value.to_owned(),
                })
                .into(),
            start: StartAt::Earliest,
            lookback: TimeDelta::hours(2),
            log_timezone: Tz::UTC,
            identity: Some(identity.to_owned()),
            node: "node".to_owned(),
        },
        live: Arc::new(LiveBoard::new()),
        compose: None,
        stop: Arc::clone(&stop),
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(move || consumer.run(&mut Quietly).unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut is_enough = enough();
        while !is_enough && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            is_enough = enough();
        }
        // Before anything panics: a scope waits for its threads.
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap();
        assert!(is_enough, "{:?}", rows(store, "from ops.stream"));
    });
}

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(folder.path(), Clock::Fixed(start() + TimeDelta::minutes(5))).unwrap()
}

fn readings(store: &Store) -> i64 {
    number(store, "select count(*) from daily.reading")
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let old = Broker::start();
    old.send(&[header(0), riding(0, 1..=50)].concat());
    consume_until(&store, &old, "cluster", || readings(&store) == 50);
    // The same cluster as far as its id tells, but what was stored as its next offset is beyond the end.
    let new = Broker::start();
    new.send(&[header(600), riding(600, 1..=20)].concat());
    consume_until(&store, &new, "cluster", || readings(&store) == 70);
    assert_eq!(
        rows(
            &store,
            "select next_offset, messages, readings from ops.stream, ops.line_count"
        ),
        [r#"{"next_offset":42,"messages":144,"readings":70}"#]
    );
    assert_eq!(number(&store, "select count(distinct ride_id) from daily.reading"), 2);
}

#[test]
fn a_topic_made_anew_that_is_empty_at_first_loses_none_of_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let old = Broker::start();
    old.send(&[header(0), riding(0, 1..=50)].concat());
    consume_until(&store, &old, "cluster", || readings(&store) == 50);
    let new = Broker::start();
    let gaps = "select count(*) from ops.gap";
    consume_until(&store, &new, "cluster", || number(&store, gaps) == 1);
    new.send(&[header(600), riding(600, 1..=20)].concat());
    consume_until(&store, &new, "cluster", || readings(&store) == 70);
    assert_eq!(number(&store, gaps), 1);
}

#[test]
fn rides_of_a_cluster_that_is_gone_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let old = Broker::start();
    old.send(&[header(0), riding(0, 1..=50)].concat());
    consume_until(&store, &old, "old", || readings(&store) == 50);
    let new = Broker::start();
    new.send(&[header(600), riding(600, 1..=20)].concat());
    consume_until(&store, &new, "new", || readings(&store) == 70);
    assert_eq!(
        rows(
            &store,
            "select end_reason, reading_count from daily.ride order by started_at"
        ),
        [
            r#"{"end_reason":"idle","reading_count":50}"#,
            r#"{"end_reason":null,"reading_count":20}"#
        ]
    );
}

#[test]
fn a_ride_that_kafka_and_a_file_tell_of_at_the_same_time_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let broker = Broker::start();
    broker.send(&[header(0), riding(0, 1..=40)].concat());
    let stream = StreamId {
        source: "file".to_owned(),
        topic: "file".to_owned(),
    };
    let lines = [header(0), riding(0, 1..=100)].concat();
    let told_by_file = std::cell::Cell::new(false);
    consume_until(&store, &broker, "cluster", || {
        if readings(&store) >= 40 && !told_by_file.replace(true) {
            ingest(&store, Rules::default(), Tz::UTC, &stream, |each| {
                (0..).zip(&lines).try_for_each(|(offset, line)| {
                    each(RawMessage {
                        partition: 0,
                        offset,
                        timestamp_millis: None,
                        key: Some(b"SN0001"),
                        payload: line.as_bytes(),
                    })
                })
            })
            .unwrap();
            broker.send(&riding(0, 41..=130));
        }
        readings(&store) >= 130
    });
    assert_eq!(readings(&store), 130);
    assert_eq!(
        rows(&store, "select reading_count, duration_seconds from daily.ride"),
        [r#"{"reading_count":130,"duration_seconds":130}"#]
    );
    assert_eq!(
        rows(
            &store,
            "select source, readings, duplicate_readings from ops.line_count order by source"
        ),
        [
            r#"{"source":"cluster","readings":70,"duplicate_readings":60}"#,
            r#"{"source":"file","readings":60,"duplicate_readings":40}"#
        ]
    );
    let shared: HashSet<String> = rows(&store, "from ops.ride_source").into_iter().collect();
    assert_eq!(shared.len(), 2, "{shared:?}");
}

#[test]
fn every_partition_writes_its_rides_down_in_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let broker = Broker::of(3);
    let stream = StreamId {
        source: "cluster".to_owned(),
        topic: TOPIC.to_owned(),
    };
    let send = |lines: Vec<String>| (0..3).for_each(|partition| broker.send_to(partition, &lines));
    send([header(0), riding(0, 1..=40)].concat());
    let written = || {
        let positions = store.positions(&stream).unwrap();
        positions
            .iter()
            .map(|position| {
                let checkpoint = position.checkpoint.as_ref();
                (
                    position.next_offset,
                    checkpoint.map_or(0, |checkpoint| checkpoint.next_offset),
                )
            })
            .collect::<Vec<_>>()
    };
    let mut second = 40;
    consume_until(&store, &broker, "cluster", || {
        // Something has to come, or there is nothing to write.
        second += 1;
        send(riding(0, second..=second));
        let written = written();
        written.len() == 3 && written.iter().all(|&(_, checkpointed)| checkpointed > 0)
    });
}
