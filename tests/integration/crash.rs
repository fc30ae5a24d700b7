//! `kill -9` at any instant, then the same again: what is stored in the end is what an undisturbed run stores.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use deloton::{
    domain::{batch::StreamId, day::Span},
    ingest::{file::ingest, sessionize::Rules, source::RawMessage},
    simulate::{Faults, Fleet, FleetConfig, broker::EmbeddedBroker, envelope},
};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::program::{DAYS, Dice, Sandbox, files_below, rows, sample_lines, wait_for};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What ingest stores, in an order of its own; of readings a hash, since they are many.
const STORED: [&str; 5] = [
    "select * from daily.ride order by ride_id",
    "select count(*) as readings, count(distinct (ride_id, second)) as seconds, bit_xor(hash(reading)) as hash,
     sum(hash(reading) % 1000003) as sum from daily.reading as reading",
    "select * from daily.rider order by all",
    "select * from daily.alert order by all",
    "select partition, \"offset\", reason, md5(raw) as raw from daily.rejected_line order by all",
];

const STREAM: &str = "from (select source, topic, partition, next_offset, log_clock from ops.stream)
    join ops.line_count using (source, topic, partition) order by all";

const UNACCOUNTED: &str =
    "select * from ops.line_count where messages <> ride_lines + telemetry_lines + user_data_lines
    + system_lines + marker_lines + duplicate_lines + tombstoned_lines + rejected_lines";

/// Compares what two data folders hold, query by query.
#[track_caller]
fn assert_same(seed: u64, actual: &Sandbox, expected: &Sandbox, queries: &[&str]) {
    let (actual, expected) = (actual.store(), expected.store());
    for query in queries {
        let (actual, expected) = (rows(&actual, query), rows(&expected, query));
        let first = actual
            .iter()
            .zip(&expected)
            .find(|(actual, expected)| actual != expected);
        assert_eq!(first, None, "seed {seed}: {query}");
        assert_eq!(actual.len(), expected.len(), "seed {seed}: {query}");
    }
    assert_eq!(
        rows(&actual, UNACCOUNTED),
        [""; 0],
        "seed {seed}: every message is of one kind"
    );
}

/// Lines of a day with everything that goes wrong in it.
fn write_lines(path: &Path, rides: u32) -> usize {
    let mut text = Vec::new();
    let mut lines = fleet(40, rides)
        .lines(Span {
            start: at("2026-05-05T00:00:00Z"),
            end: at("2026-05-06T00:00:00Z"),
        })
        .with_faults("drop=0.001,duplicate=0.01,truncate=0.001,garbage=0.08,reorder=0.002,no_marker=0.1,clock_jump=0.0001,vanish=0.0001".parse().unwrap(), 3);
    let mut count = 0;
    while let Some(line) = lines.next_line() {
        envelope::write_record(&line, &mut text);
        count += 1;
    }
    fs::write(path, text).unwrap();
    count
}

fn fleet(bikes: u32, rides: u32) -> Fleet {
    Fleet::new(FleetConfig {
        seed: 3,
        bikes,
        rides_per_day_max: rides,
        ..FleetConfig::default()
    })
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn a_file_survives_kill_9() {
    const SEED: u64 = 20_260_505;
    let calm = Sandbox::new();
    let file = calm.path("big.jsonl");
    assert!(write_lines(&file, 420) > 350_000);
    let file = file.display().to_string();
    let started = Instant::now();
    calm.succeed(&["consume", "--from-file", &file]);
    let took = started.elapsed();

    let shaken = Sandbox::new();
    let mut dice = Dice(SEED);
    let mut hits = 0;
    for _ in 0..5 {
        let mut running = shaken.start(&["consume", "--from-file", &file]);
        thread::sleep(took.mul_f64(0.1 + 0.05 * dice.below(10) as f64));
        hits += u32::from(running.kill());
    }
    assert!(hits >= 3, "seed {SEED}: only {hits} of 5 kills came before the end");
    shaken.succeed(&["consume", "--from-file", &file]);
    assert_same(SEED, &shaken, &calm, &STORED);
    assert_same(SEED, &shaken, &calm, &[STREAM]);
}

#[test]
fn a_file_that_overlaps_another_may_be_cut_off_in_the_middle_of_a_ride() {
    let lines = sample_lines();
    let first = &lines[..lines.len() * 3 / 4];
    // So many lines that cannot be read are flushed on their own: here in the middle of a ride.
    let middle = lines
        .iter()
        .skip(lines.len() / 4)
        .position(|line| line.contains("duration = 60.0"))
        .unwrap();
    let (before, after) = lines.split_at(lines.len() / 4 + middle);
    let noise = vec!["noise".to_owned(); 10_000];
    let second: Vec<&String> = before.iter().chain(&noise).chain(after).collect();
    let cut_off = before.len() + noise.len() + 100;

    let take = |sandbox: &Sandbox, name: &str, lines: &[&String], until: usize| {
        let stream = StreamId {
            source: name.to_owned(),
            topic: "file".to_owned(),
        };
        ingest(&sandbox.store(), Rules::default(), chrono_tz::UTC, &stream, |each| {
            for (offset, line) in (0..).zip(lines) {
                anyhow::ensure!(offset < until, "cut off");
                each(RawMessage {
                    partition: 0,
                    offset: offset as i64,
                    timestamp_millis: None,
                    key: None,
                    payload: line.as_bytes(),
                })?;
            }
            Ok(())
        })
    };
    let (calm, shaken) = (Sandbox::new(), Sandbox::new());
    for sandbox in [&calm, &shaken] {
        take(sandbox, "first", &first.iter().collect::<Vec<_>>(), usize::MAX).unwrap();
    }
    take(&shaken, "second", &second, cut_off).unwrap_err();
    assert_eq!(
        shaken.rows("select sum(messages) > 10000 as flushed from ops.line_count where source = 'second'"),
        [r#"{"flushed":true}"#]
    );
    for sandbox in [&calm, &shaken] {
        take(sandbox, "second", &second, usize::MAX).unwrap();
    }
    assert_same(0, &shaken, &calm, &STORED);
    assert_same(0, &shaken, &calm, &[STREAM]);
}

/// A message: key, log time in milliseconds, payload.
pub(crate) type Line = (String, i64, Vec<u8>);

/// The stream of 24 bikes, within what the embedded broker holds of each partition.
pub(crate) fn stream() -> Vec<Line> {
    let mut lines = fleet(24, 60)
        .lines(Span {
            start: at("2026-05-05T00:00:00Z"),
            end: at("2026-05-06T00:00:00Z"),
        })
        .with_faults(
            "drop=0.001,duplicate=0.01,truncate=0.001,reorder=0.002,no_marker=0.1,vanish=0.0003"
                .parse::<Faults>()
                .unwrap(),
            3,
        );
    let mut stream = Vec::new();
    while let Some(line) = lines.next_line() {
        let mut payload = Vec::new();
        envelope::write_payload(&line, &mut payload);
        stream.push((line.serial.to_owned(), line.at.timestamp_millis(), payload));
    }
    stream
}

/// Produces a part of the stream in its order, as fast as the broker takes it.
pub(crate) fn produce(broker: &EmbeddedBroker, stream: &[Line]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("linger.ms", "20")
        .create()
        .unwrap();
    for (key, at, payload) in stream {
        let mut record = BaseRecord::to("deloton").key(key).payload(payload).timestamp(*at);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

/// What starts a consumer of its own group: one that was killed keeps its partitions until the broker gives it up. What
/// was read is in the store, whatever the group.
pub(crate) fn consume(brokers: &str) -> Vec<String> {
    static GROUPS: AtomicU32 = AtomicU32::new(0);
    let group = GROUPS.fetch_add(1, Ordering::Relaxed).to_string();
    [
        "consume",
        "--kafka-brokers",
        brokers,
        "--kafka-group",
        &group,
        "--start",
        "earliest",
    ]
    .map(str::to_owned)
    .into()
}

/// Lets the consumer read all of the stream, then stops it as a service manager would.
pub(crate) fn catch_up(sandbox: &Sandbox, brokers: &str, count: usize) {
    let mut log = String::new();
    for _ in 0..8 {
        let mut running = sandbox.start(&consume(brokers));
        // Rows of open rides are brought up to date by a checkpoint, after every partition was taken on.
        wait_for(
            "all partitions",
            PATIENCE,
            || running.log(),
            || (running.log().matches("consuming").count() >= 3).then_some(()),
        );
        thread::sleep(Duration::from_secs(4));
        running.signal("TERM");
        assert!(running.wait(PATIENCE).success(), "{}", running.log());
        log = running.log();
        let messages = sandbox.rows("select sum(messages)::bigint as messages from ops.line_count");
        if messages == [format!("{{\"messages\":{count}}}")] {
            return;
        }
        log += &messages.join("");
    }
    panic!("the {count} messages were not all read: {log}");
}

#[test]
fn a_kafka_stream_survives_kill_9() {
    const SEED: u64 = 11;
    let stream = stream();
    let bytes: usize = stream
        .iter()
        .map(|(key, _, payload)| key.len() + payload.len() + 40)
        .sum();
    assert!(
        stream.len() > 30_000 && bytes < 12 << 20,
        "{} lines, {bytes} bytes",
        stream.len()
    );
    let broker = EmbeddedBroker::start("deloton", 3).unwrap();
    let shaken = Sandbox::new();
    let mut dice = Dice(SEED);
    // It is killed while the stream comes in, part by part.
    for part in stream.chunks(stream.len().div_ceil(4)) {
        let mut running = shaken.start(&consume(&broker.bootstrap_servers()));
        produce(&broker, part);
        wait_for(
            "partition",
            PATIENCE,
            || running.log(),
            || running.log().contains("consuming").then_some(()),
        );
        thread::sleep(Duration::from_millis(100 + dice.below(1_500)));
        assert!(running.kill(), "seed {SEED}: {}", running.log());
    }
    let before = shaken.rows("select sum(messages) > 0 as some from ops.line_count");
    assert_eq!(
        before,
        [r#"{"some":true}"#],
        "seed {SEED}: no kill came while it was at work"
    );
    let calm = Sandbox::new();
    for sandbox in [&shaken, &calm] {
        catch_up(sandbox, &broker.bootstrap_servers(), stream.len());
    }
    let stream = STREAM.replace("source, ", "");
    assert_same(SEED, &shaken, &calm, &STORED);
    assert_same(SEED, &shaken, &calm, &[stream.as_str()]);
    let readings =
        shaken.rows("select count(*) > 14000 as enough, count(distinct ride_id) > 20 as rides from daily.reading");
    assert_eq!(readings, [r#"{"enough":true,"rides":true}"#]);
}

#[test]
fn publishing_survives_kill_9() {
    const SEED: u64 = 7;
    let calm = Sandbox::with_sample();
    let publish = ["run", "publish", "--day", DAYS[0]];
    let started = Instant::now();
    calm.succeed(&publish);
    let took = started.elapsed();
    let shaken = Sandbox::with_sample();
    let mut dice = Dice(SEED);
    for _ in 0..4 {
        let mut running = shaken.start(&publish);
        thread::sleep(took.mul_f64(0.2 + 0.08 * dice.below(10) as f64));
        running.kill();
    }
    shaken.succeed(&["run", "report", "--day", DAYS[0]]);
    shaken.succeed(&publish);
    assert_eq!(shaken.hashes("site"), calm.hashes("site"), "seed {SEED}");
    assert_eq!(shaken.hashes("lake"), calm.hashes("lake"), "seed {SEED}");
}

#[test]
fn nobody_gets_a_mail_twice_whenever_it_is_killed() {
    const SEED: u64 = 8;
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "publish", "--day", DAYS[0]]);
    let recipients: Vec<String> = (0..5).map(|number| format!("person{number}@deloton.example")).collect();
    let mut notify = vec!["run", "notify", "--day", DAYS[0]];
    recipients.iter().for_each(|to| notify.extend(["--mail-to", to]));
    let mut dice = Dice(SEED);
    for _ in 0..4 {
        let mut running = sandbox.start(&notify);
        thread::sleep(Duration::from_millis(100 + dice.below(900)));
        running.kill();
    }
    // A mail whose fate nobody knows is a person's to decide about: then the job says so.
    let last = sandbox.run(&notify);
    let states = sandbox.rows("select state, count(*) as mails from ops.outbox group by all order by all");
    let is_unknown = states.iter().any(|row| row.contains("unknown"));
    assert_eq!(last.status.success(), !is_unknown, "seed {SEED}: {states:?} {last:?}");
    let mut got: Vec<String> = files_below(&sandbox.data().join("outbox"))
        .into_iter()
        .filter(|(name, _)| name.ends_with(".eml"))
        .map(|(_, bytes)| {
            let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
            mail.to().unwrap().first().unwrap().address().unwrap().to_owned()
        })
        .collect();
    let mails = got.len();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), mails, "seed {SEED}: {got:?}");
    if !is_unknown {
        assert_eq!(got, recipients, "seed {SEED}");
    }
}
