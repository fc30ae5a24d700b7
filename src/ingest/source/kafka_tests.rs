//! The consumer against librdkafka's mock cluster: Kafka's protocol over TCP.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use chrono_tz::Tz;
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _},
};

use super::{Assigned, KafkaConfig, KafkaSource, Polled, SourceEvent, Stored, probe::probe};
use crate::config::settings::{KafkaProperty, StartAt};

const TOPIC: &str = "deloton";

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn start(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, partitions, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("linger.ms", "1")
            .create()
            .unwrap();
        Broker { cluster, producer }
    }

    fn send(&self, partition: i32, key: &str, payload: &str) {
        let record = BaseRecord::to(TOPIC)
            .partition(partition)
            .key(key)
            .payload(payload)
            .timestamp(1_700_000_000_000);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
    }

    fn flush(&self) {
        self.producer.flush(Duration::from_secs(10)).unwrap();
    }

    fn config(&self, start: StartAt) -> KafkaConfig {
        KafkaConfig {
            brokers: self.cluster.bootstrap_servers(),
            topic: TOPIC.to_owned(),
            group: "test".to_owned(),
            // The mock gives the members of a group a session's time to come together again.
            properties: properties(&["session.timeout.ms=3000", "heartbeat.interval.ms=500"]),
            start,
            lookback: TimeDelta::hours(2),
            log_timezone: Tz::UTC,
            identity: None,
            node: "node".to_owned(),
        }
    }
}

fn properties(texts: &[&str]) -> Vec<KafkaProperty> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What a source said, messages as (partition, offset, key, payload).
#[derive(Default)]
struct Heard {
    messages: Vec<(i32, i64, String, String)>,
    events: Vec<SourceEvent>,
}

impl Heard {
    /// Polls once.
    fn hear(&mut self, source: &mut KafkaSource) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let sink = &mut |polled: Polled<'_>| match polled {
            Polled::Message(message) => {
                assert_eq!(message.timestamp_millis, Some(1_700_000_000_000));
                let key = text(message.key.unwrap_or_default());
                self.messages
                    .push((message.partition, message.offset, key, text(message.payload)));
            }
            Polled::Event(event) => self.events.push(event),
        };
        source.poll(Duration::from_millis(200), 100_000, sink).unwrap();
    }
}

fn connect(config: KafkaConfig, stored: &[(i32, i64)]) -> KafkaSource {
    let mut source = KafkaSource::connect(config, Arc::default(), &mut |_| {})
        .unwrap()
        .unwrap();
    let stored: HashMap<i32, i64> = stored.iter().copied().collect();
    source
        .subscribe(Box::new(move |partition| {
            Ok(stored.get(&partition).map(|&offset| Stored {
                next_offset: offset,
                read_from: offset,
            }))
        }))
        .unwrap();
    source
}

/// Polls until `enough`, or fails after half a minute.
fn listen(source: &mut KafkaSource, mut enough: impl FnMut(&Heard) -> bool) -> Heard {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut heard = Heard::default();
    while !enough(&heard) {
        assert!(
            Instant::now() < deadline,
            "{} messages, {:?}",
            heard.messages.len(),
            heard.events
        );
        heard.hear(source);
    }
    heard
}

#[test]
fn all_messages_come_once_in_order_and_a_second_start_goes_on_from_the_stored_offsets() {
    let broker = Broker::start(2);
    for number in 0..30_000 {
        broker.send(
            number % 2,
            if number % 2 == 0 { "SN0001" } else { "SN0002" },
            &number.to_string(),
        );
    }
    broker.flush();
    let mut source = connect(broker.config(StartAt::Earliest), &[]);
    assert!(source.identity().starts_with("mockCluster"), "{}", source.identity());
    let heard = listen(&mut source, |heard| heard.messages.len() >= 30_000);
    assert!(matches!(&heard.events[0], SourceEvent::Assigned(partitions) if partitions.len() == 2));
    for partition in 0..2 {
        let of_partition: Vec<_> = heard.messages.iter().filter(|message| message.0 == partition).collect();
        assert_eq!(of_partition.len(), 15_000);
        for (offset, (_, got, key, payload)) in of_partition.into_iter().enumerate() {
            assert_eq!(*got, offset as i64);
            assert_eq!(*payload, (2 * offset as i32 + partition).to_string());
            assert_eq!(key, if partition == 0 { "SN0001" } else { "SN0002" });
        }
        assert_eq!(source.position(partition), Some(15_000));
    }
    assert_eq!((source.lag(0, 15_000), source.lag(0, 14_000)), (Some(0), Some(1_000)));
    source.commit(&[(0, 15_000, 15_000), (1, 15_000, 15_000)]).unwrap();
    drop(source);

    // Kafka's committed offsets are for lag tools: only the stored ones count.
    let mut source = connect(broker.config(StartAt::Latest), &[(0, 14_990), (1, 15_000)]);
    let ends = |heard: &Heard| {
        heard
            .events
            .iter()
            .filter(|event| matches!(event, SourceEvent::EndOfPartition(_)))
            .count()
    };
    let heard = listen(&mut source, |heard| ends(heard) >= 2);
    let offsets: Vec<_> = heard.messages.iter().map(|message| (message.0, message.1)).collect();
    assert_eq!(offsets, (14_990..15_000).map(|offset| (0, offset)).collect::<Vec<_>>());
}

#[test]
fn a_first_start_looks_back_to_the_header_of_the_ride_under_way() {
    let broker = Broker::start(1);
    let line = |seconds: i64, body: &str| {
        let at = chrono::DateTime::from_timestamp(1_770_000_000 + seconds, 5_000).unwrap();
        broker.send(
            0,
            "SN0001",
            &format!(
                "{{\"log\": \"{} mendoza v9: {body}\\n\"}}",
                at.format("%Y-%m-%d %H:%M:%S%.6f")
            ),
        );
    };
    for ride in 0..3 {
        broker.send(0, "SN0001", "{\"log\": \"--------- beginning of main\\n\"}");
        line(ride * 3_000, "Getting user data from server..");
        line(ride * 3_000, "[SYSTEM] data = {}");
        for second in 1..=1_500 {
            line(
                ride * 3_000 + second,
                &format!("[INFO]: Ride - duration = {second}.0; resistance = 30"),
            );
        }
    }
    broker.flush();
    let first = |start| {
        let mut source = connect(broker.config(start), &[]);
        let heard = listen(&mut source, |heard| !heard.messages.is_empty());
        assert_eq!(heard.events.len(), 1, "{:?}", heard.events);
        heard.messages[0].1
    };
    assert_eq!(first(StartAt::Lookback), 2 * 1_503);
    let time = chrono::DateTime::from_timestamp(1_770_000_000 + 3_000 + 700, 0).unwrap();
    assert_eq!(first(StartAt::Time(time)), 1_503 + 2 + 700);
    assert_eq!(first(StartAt::Earliest), 0);
}

#[test]
fn offsets_the_log_does_not_hold_are_a_gap_and_the_oldest_is_next() {
    let broker = Broker::start(1);
    // The mock keeps 5 MiB: the first messages are gone.
    let payload = "x".repeat(500_000);
    for _ in 0..20 {
        broker.send(0, "SN0001", &payload);
        broker.flush();
    }
    for stored in [2, 1_000] {
        let mut source = connect(broker.config(StartAt::Lookback), &[(0, stored)]);
        let heard = listen(&mut source, |heard| {
            heard.messages.last().is_some_and(|message| message.1 == 19)
        });
        let oldest = heard.messages[0].1;
        assert!(oldest > 2, "{oldest}");
        assert_eq!(
            heard.events[0],
            SourceEvent::Gap {
                partition: 0,
                from: stored,
                to: oldest
            }
        );
    }

    // And while we are running, when retention overtakes us.
    let mut config = broker.config(StartAt::Earliest);
    config
        .properties
        .extend(properties(&["queued.min.messages=1", "queued.max.messages.kbytes=1"]));
    let mut source = connect(config, &[]);
    listen(&mut source, |heard| !heard.events.is_empty());
    let began = source.position(0).unwrap();
    for _ in 0..30 {
        broker.send(0, "SN0001", &payload);
        broker.flush();
    }
    let heard = listen(&mut source, |heard| {
        heard.messages.last().is_some_and(|message| message.1 == 49)
    });
    let gap = heard.events.iter().find_map(|event| match event {
        SourceEvent::Gap { from, to, .. } => Some((*from, *to)),
        _ => None,
    });
    let (from, to) = gap.unwrap();
    assert!(from >= began && to > from);
    let offsets: Vec<_> = heard.messages.iter().map(|message| message.1).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    assert!(
        (began..50).all(|offset| (from..to).contains(&offset) || offsets.contains(&offset)),
        "{offsets:?}"
    );
}

#[test]
fn a_revoke_is_announced_before_another_consumer_has_the_partition() {
    let broker = Broker::start(2);
    let mut first = connect(broker.config(StartAt::Earliest), &[]);
    listen(&mut first, |heard| !heard.events.is_empty());
    let mut second = connect(broker.config(StartAt::Earliest), &[]);

    // Both polled in turn, until each has one partition.
    let (mut of_first, mut of_second) = (Heard::default(), Heard::default());
    let owned = |source: &KafkaSource| {
        (0..2)
            .filter(|&partition| source.position(partition).is_some())
            .collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while owned(&first).len() != 1 || owned(&second).len() != 1 {
        assert!(
            Instant::now() < deadline,
            "{:?} {:?}",
            of_first.events,
            of_second.events
        );
        of_first.hear(&mut first);
        of_second.hear(&mut second);
    }
    let (kept, given) = (owned(&first)[0], owned(&second)[0]);
    assert_ne!(kept, given);
    assert!(
        of_first.events.contains(&SourceEvent::Revoked(vec![given])),
        "{:?}",
        of_first.events
    );
    assert!(
        of_second.events.iter().any(
            |event| matches!(event, SourceEvent::Assigned(assigned) if assigned.len() == 1 && assigned[0].partition == given)
        ),
        "{:?}",
        of_second.events
    );

    for partition in 0..2 {
        broker.send(partition, "SN0001", &partition.to_string());
    }
    broker.flush();
    for (source, partition) in [(&mut first, kept), (&mut second, given)] {
        let heard = listen(source, |heard| !heard.messages.is_empty());
        assert_eq!(
            heard.messages,
            [(partition, 0, "SN0001".to_owned(), partition.to_string())]
        );
    }
}

#[test]
fn a_broker_that_is_away_is_said_in_words_and_waited_for() {
    let broker = Broker::start(1);
    broker.cluster.broker_down(-1).unwrap();
    let mut said = Vec::new();
    let stop = Arc::new(AtomicBool::new(false));
    let source = KafkaSource::connect(broker.config(StartAt::Earliest), Arc::clone(&stop), &mut |event| {
        said.push(event);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(source.unwrap().is_none());
    assert!(
        matches!(&said[0], SourceEvent::Error(text) if text.contains("no broker can be reached")),
        "{said:?}"
    );

    broker.cluster.broker_up(-1).unwrap();
    let mut source = connect(broker.config(StartAt::Earliest), &[]);
    broker.send(0, "SN0001", "before");
    broker.flush();
    listen(&mut source, |heard| heard.messages.len() == 1);
    broker.cluster.broker_down(-1).unwrap();
    let is_error = |event: &SourceEvent| matches!(event, SourceEvent::Error(_));
    listen(&mut source, |heard| heard.events.iter().any(is_error));
    broker.cluster.broker_up(-1).unwrap();
    broker.send(0, "SN0001", "after");
    broker.flush();
    let heard = listen(&mut source, |heard| !heard.messages.is_empty());
    assert_eq!((heard.messages[0].1, heard.messages[0].3.as_str()), (1, "after"));
}

#[test]
fn a_log_that_ends_before_what_was_stored_of_it_is_read_from_its_beginning() {
    let broker = Broker::start(1);
    for number in 0..100 {
        broker.send(0, "SN0001", &number.to_string());
    }
    broker.flush();
    let mut source = KafkaSource::connect(broker.config(StartAt::Earliest), Arc::default(), &mut |_| {})
        .unwrap()
        .unwrap();
    let stored = Stored {
        next_offset: 150,
        read_from: 40,
    };
    source.subscribe(Box::new(move |_| Ok(Some(stored)))).unwrap();
    let heard = listen(&mut source, |heard| heard.messages.len() == 100);
    let gap = SourceEvent::Gap {
        partition: 0,
        from: 150,
        to: 0,
    };
    assert!(heard.events.contains(&gap), "{:?}", heard.events);
}

#[test]
fn looking_back_for_headers_ends_when_told_to_stop() {
    let broker = Broker::start(1);
    for number in 0..100 {
        broker.send(0, "SN0001", &number.to_string());
    }
    broker.flush();
    let stop = Arc::new(AtomicBool::new(true));
    let mut source = KafkaSource::connect(broker.config(StartAt::Lookback), Arc::clone(&stop), &mut |_| {})
        .unwrap()
        .unwrap();
    source.subscribe(Box::new(|_| Ok(None))).unwrap();
    let mut heard = Heard::default();
    // The group assigns the partition within three seconds.
    for _ in 0..25 {
        heard.hear(&mut source);
    }
    assert_eq!(heard.events, []);
    stop.store(false, Ordering::Relaxed);
    let is_assigned = |event: &SourceEvent| matches!(event, SourceEvent::Assigned(_));
    listen(&mut source, |heard| heard.events.iter().any(is_assigned));
}

#[test]
fn whoever_takes_a_partition_over_begins_where_it_was_given_up() {
    let broker = Broker::start(1);
    for number in 0..100 {
        broker.send(0, "SN0001", &number.to_string());
    }
    broker.flush();
    let as_node = |node: &str| KafkaConfig {
        node: node.to_owned(),
        ..broker.config(StartAt::Latest)
    };
    let mut first = connect(as_node("first"), &[(0, 0)]);
    listen(&mut first, |heard| heard.messages.len() == 100);
    first.hand_over(&[(0, 40, 100)]).unwrap();
    drop(first);
    let begun = |stored: &[(i32, i64)]| {
        let heard = listen(&mut connect(as_node("second"), stored), |heard| {
            heard
                .events
                .iter()
                .any(|event| matches!(event, SourceEvent::EndOfPartition(_)))
        });
        let Some(SourceEvent::Assigned(assigned)) = heard.events.first() else {
            panic!("{:?}", heard.events);
        };
        assert_eq!(
            heard.messages.first().map(|message| message.1),
            Some(assigned[0].offset)
        );
        assigned[0]
    };
    let taken_over = Assigned {
        partition: 0,
        offset: 40,
        goes_on: false,
        taken_over_until: Some(100),
    };
    assert_eq!(begun(&[]), taken_over);
    assert_eq!(begun(&[(0, 30)]), taken_over, "the group has moved on since");
    assert_eq!(begun(&[(0, 60)]), taken_over, "it was read on to 100 elsewhere");
    assert_eq!(
        begun(&[(0, 99)]).taken_over_until,
        Some(100),
        "the ride under way at 100 began at 40"
    );
}

/// The steps of trying a connection, with a word for each that went well and the reason of the one that did not.
fn tried(config: &KafkaConfig) -> Vec<(&'static str, String)> {
    let steps = probe(config).into_iter();
    steps
        .map(|step| {
            (
                step.name,
                step.outcome.map_or_else(|reason| reason, |_| "fine".to_owned()),
            )
        })
        .collect()
}

#[test]
fn a_connection_is_tried_step_by_step_and_makes_no_topic() {
    let broker = Broker::start(3);
    let config = broker.config(StartAt::Earliest);
    let names = ["name", "connection", "TLS", "login", "answer", "topic", "group"];
    assert_eq!(tried(&config), names.map(|name| (name, "fine".to_owned())));
    let missing = KafkaConfig {
        topic: "misspelt".to_owned(),
        ..config
    };
    // Asked twice: asking for it must not have made it.
    for _ in 0..2 {
        let steps = tried(&missing);
        let (name, reason) = steps.last().unwrap();
        assert_eq!(*name, "topic");
        assert!(reason.contains("`misspelt` does not exist"), "{reason}");
    }
}

#[test]
fn a_broker_without_tls_is_named_as_such() {
    let broker = Broker::start(1);
    let config = KafkaConfig {
        properties: properties(&["security.protocol=SSL"]),
        ..broker.config(StartAt::Earliest)
    };
    let steps = tried(&config);
    let (name, reason) = steps.last().unwrap();
    assert!(["TLS", "answer"].contains(name), "{steps:?}");
    assert!(
        reason.contains("SSL") && !reason.contains("set `security.protocol` to"),
        "{reason}"
    );
}
