//! Against programs that nobody here wrote: Apache Kafka, and kcat that produces to it. `make test-peers` starts them and
//! says where they are; without that these tests say why they are skipped.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    crash::{Line, stream},
    group::{Cluster, come_and_go, stop, wait_for_lines},
    program::{Sandbox, rows, skipped},
};

/// What a client of so old a broker has to be told.
const OLD_BROKER: [&str; 2] = ["api.version.request=false", "broker.version.fallback=0.9.0.1"];

/// Where the broker is, and how to make a topic; nothing where no peers were started.
fn broker() -> Option<(String, String)> {
    #[expect(clippy::disallowed_methods, reason = "what `make test-peers` says")]
    let said = |name| std::env::var(name).ok();
    let found = said("DELOTON_TEST_KAFKA").zip(said("DELOTON_TEST_KAFKA_TOPIC_COMMAND"));
    if found.is_none() {
        skipped("no Kafka was started; `make test-peers` starts one");
    }
    found
}

/// A topic of three partitions that nobody used before.
fn topic(command: &str, name: &str) -> String {
    let name = format!("{name}-{}", std::process::id());
    let made = Command::new("sh")
        .args(["-c", &format!("{command} {name} 3")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    name
}

/// Has kcat produce.
fn kcat(brokers: &str, topic: &str, part: &[Line]) {
    let mut command = Command::new("kcat");
    command.args([
        "-P",
        "-b",
        brokers,
        "-t",
        topic,
        "-K",
        "\t",
        "-X",
        "message.timeout.ms=20000",
    ]);
    for property in OLD_BROKER {
        command.args(["-X", property]);
    }
    let mut kcat = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = kcat.stdin.take().unwrap();
    for (key, _, payload) in part {
        input.write_all(key.as_bytes()).unwrap();
        input.write_all(b"\t").unwrap();
        input.write_all(payload).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input);
    assert!(kcat.wait().unwrap().success());
}

#[test]
fn what_kcat_produces_to_kafka_is_what_a_file_of_it_gives() {
    let Some((brokers, command)) = broker() else { return };
    let topic = topic(&command, "restart");
    let stream = stream();
    let cluster = Cluster {
        brokers: brokers.clone(),
        topic: &topic,
        properties: &OLD_BROKER,
        produce: &|part| kcat(&brokers, &topic, part),
    };
    let sandbox = Sandbox::new();
    for part in stream.chunks(stream.len().div_ceil(3)) {
        (cluster.produce)(part);
        let running = cluster.consume(&sandbox, "restart");
        wait_for_lines(&running, "all partitions", "consuming", 3);
        thread::sleep(Duration::from_secs(2));
        stop(running);
    }
    let figures = "select count(*) as readings, count(distinct (ride_id, second)) as seconds from daily.reading";
    let from_kafka = sandbox.rows(figures);
    let counted = sandbox.rows("select sum(messages)::bigint as messages from ops.line_count");
    assert_eq!(counted, [format!("{{\"messages\":{}}}", stream.len())]);

    let by_file = Sandbox::new();
    let mut lines = Vec::new();
    for (key, _, payload) in &stream {
        let mut line: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        line["key"] = key.as_str().into();
        serde_json::to_writer(&mut lines, &line).unwrap();
        lines.push(b'\n');
    }
    let file = by_file.write("stream.jsonl", lines);
    by_file.succeed(&["consume", "--from-file", &file]);
    assert_eq!(from_kafka, rows(&by_file.store(), figures));
    let said = sandbox.succeed(&["status", "--reconcile"]);
    assert!(said.contains("is accounted for"), "{said}");
}

#[test]
fn consumers_of_a_real_group_hold_every_reading_once_together() {
    let Some((brokers, command)) = broker() else { return };
    let topic = topic(&command, "group");
    let properties = [
        &OLD_BROKER[..],
        &["session.timeout.ms=6000", "heartbeat.interval.ms=500"],
    ]
    .concat();
    come_and_go(&Cluster {
        brokers: brokers.clone(),
        topic: &topic,
        properties: &properties,
        produce: &|part| kcat(&brokers, &topic, part),
    });
}
