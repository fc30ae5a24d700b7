//! Several consumers of one group, each with a store of its own: together they hold every reading once.

use std::{collections::BTreeMap, thread, time::Duration};

use deloton::simulate::broker::EmbeddedBroker;

use crate::{
    crash::{Line, PATIENCE, produce, stream},
    program::{Running, Sandbox, wait_for},
};

/// Not why they ended: the idle rule goes by the partition's clock, of which a new owner knows less.
const RIDES: &str = "select * exclude (end_reason) from daily.ride order by ride_id";
const READINGS: &str = "select * from daily.reading order by all";

/// A cluster to consume from.
pub(crate) struct Cluster<'c> {
    pub(crate) brokers: String,
    pub(crate) topic: &'c str,
    pub(crate) properties: &'c [&'c str],
    /// Produces a part of the stream, in order.
    pub(crate) produce: &'c dyn Fn(&[Line]),
}

impl Cluster<'_> {
    pub(crate) fn consume(&self, sandbox: &Sandbox, group: &str) -> Running {
        let mut arguments = vec![
            "consume",
            "--kafka-brokers",
            &self.brokers,
            "--kafka-topic",
            self.topic,
            "--kafka-group",
            group,
            "--start",
            "earliest",
        ];
        for property in self.properties {
            arguments.extend(["--kafka-property", property]);
        }
        sandbox.start(&arguments)
    }
}

pub(crate) fn wait_for_lines(running: &Running, what: &str, words: &str, count: usize) {
    wait_for(
        what,
        PATIENCE,
        || running.log(),
        || (running.log().matches(words).count() >= count).then_some(()),
    );
}

pub(crate) fn stop(mut running: Running) -> String {
    running.signal("TERM");
    assert!(running.wait(PATIENCE).success(), "{}", running.log());
    running.log()
}

/// How often each row of a query is held by the sandboxes together.
fn held(sandboxes: &[&Sandbox], query: &str) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for row in sandboxes.iter().flat_map(|sandbox| sandbox.rows(query)) {
        *held.entry(row).or_default() += 1;
    }
    held
}

#[test]
fn consumers_that_come_and_go_hold_every_reading_once_together() {
    let broker = EmbeddedBroker::start("deloton", 3).unwrap();
    come_and_go(&Cluster {
        brokers: broker.bootstrap_servers(),
        topic: "deloton",
        // The mock gives the members of a group a session's time to come together again.
        properties: &["session.timeout.ms=3000", "heartbeat.interval.ms=500"],
        produce: &|part| produce(&broker, part),
    });
}

pub(crate) fn come_and_go(cluster: &Cluster<'_>) {
    let stream = stream();
    let (first, second) = (Sandbox::new(), Sandbox::new());
    let part = stream.len() / 3;

    let one = cluster.consume(&first, "together");
    wait_for_lines(&one, "all partitions", "consuming", 3);
    (cluster.produce)(&stream[..part]);
    thread::sleep(Duration::from_secs(1));
    // A second one comes, in the middle of rides, and takes some of the partitions.
    let two = cluster.consume(&second, "together");
    wait_for_lines(&one, "a partition given up", "given up", 1);
    wait_for_lines(&two, "a partition taken over", "consuming", 1);
    (cluster.produce)(&stream[part..2 * part]);
    thread::sleep(Duration::from_secs(2));
    // It goes again, with what is under way left to the first.
    let said = stop(two);
    assert!(said.contains("given up"), "{said}");
    wait_for_lines(&one, "the partition back", "consuming", 4);
    (cluster.produce)(&stream[2 * part..]);
    thread::sleep(Duration::from_secs(4));
    let said = stop(one) + &said;

    assert_held_once(cluster, [&first, &second], &said);
    assert!(!second.rows(RIDES).is_empty(), "the second one had rides of its own");
}

/// The two hold together what one that is alone holds.
fn assert_held_once(cluster: &Cluster<'_>, both: [&Sandbox; 2], said: &str) {
    let calm = Sandbox::new();
    let alone = cluster.consume(&calm, "alone");
    wait_for_lines(&alone, "all partitions", "consuming", 3);
    thread::sleep(Duration::from_secs(4));
    stop(alone);
    for query in [READINGS, RIDES] {
        let (together, expected) = (held(&both, query), held(&[&calm], query));
        assert!(expected.len() > 20, "{query}");
        // Rows as (row, how often the two hold it, how often it is expected).
        let differing: Vec<_> = together
            .keys()
            .chain(expected.keys())
            .map(|row| (row, together.get(row), expected.get(row)))
            .filter(|(_, held, expected)| held != expected)
            .collect();
        assert!(
            differing.is_empty(),
            "{query}: {} differ: {:#?}\n{}",
            differing.len(),
            &differing[..differing.len().min(6)],
            said
        );
    }
    for sandbox in both {
        assert_eq!(
            sandbox.rows("from ops.stream where missing_offsets > 0"),
            [""; 0],
            "{said}"
        );
    }
}

#[test]
fn a_consumer_that_was_killed_drops_what_the_group_has_read_on() {
    let broker = EmbeddedBroker::start("deloton", 3).unwrap();
    let cluster = Cluster {
        brokers: broker.bootstrap_servers(),
        topic: "deloton",
        properties: &["session.timeout.ms=3000", "heartbeat.interval.ms=500"],
        produce: &|part| produce(&broker, part),
    };
    let stream = stream();
    let (first, second) = (Sandbox::new(), Sandbox::new());
    let part = stream.len() / 3;

    let mut one = cluster.consume(&first, "together");
    wait_for_lines(&one, "all partitions", "consuming", 3);
    (cluster.produce)(&stream[..part]);
    // It tells Kafka how far it has got.
    thread::sleep(Duration::from_secs(3));
    assert!(one.kill());
    let two = cluster.consume(&second, "together");
    wait_for_lines(&two, "all partitions taken over", "consuming", 3);
    (cluster.produce)(&stream[part..2 * part]);
    thread::sleep(Duration::from_secs(2));
    // Back again it gets some of the partitions, and is rid of its rides in all of them.
    let one = cluster.consume(&first, "together");
    wait_for_lines(&one, "a partition taken over", "consuming", 1);
    wait_for_lines(&one, "the others' rides dropped", "dropped what another", 1);
    (cluster.produce)(&stream[2 * part..]);
    thread::sleep(Duration::from_secs(4));
    let said = stop(one);
    wait_for_lines(&two, "the partition back", "consuming", 4);
    thread::sleep(Duration::from_secs(2));
    let said = stop(two) + &said;
    assert_held_once(&cluster, [&first, &second], &said);
}
