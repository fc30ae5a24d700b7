//! From a broker to committed rows, on two cores, the broker among them.
//!
//! Yardsticks on the same messages, in the same run: librdkafka's batch call that only counts bytes, and Arrow record
//! batches appended to an identical table.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/lines.rs"]
mod lines;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use deloton::{
    clock::Clock,
    config::settings::StartAt,
    domain::live::LiveBoard,
    ingest::{
        consume::{Consumer, Listener, Standing},
        sessionize::Rules,
        source::{KafkaConfig, KafkaSource, Polled},
        writer::Written,
    },
    store::Store,
};
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
};
use times::Times;
use verdict::verdict;

/// Lines of 24 bikes. The broker holds 5 MiB of each partition, which is some 40,000 lines; bikes do not ride equally long.
const LINES_OF_FLEET: usize = 720_000;

/// As many fleets of other bikes ride the same.
const FLEETS: usize = 4;

const LINES: usize = FLEETS * LINES_OF_FLEET;

/// One for each bike.
const PARTITIONS: i32 = 24 * FLEETS as i32;

/// Rows of one record batch: a row group of DuckDB's.
const BATCH_ROWS: usize = 122_880;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let broker = fill();
    let brokers = broker.bootstrap_servers();
    let (ours, counted, appended) = (Times::default(), Times::default(), Times::default());
    let mut group = criterion.benchmark_group("stream");
    group
        .throughput(Throughput::Elements(LINES as u64))
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1));
    measure(&mut group, "deloton", &ours, || consume(&brokers));
    measure(&mut group, "librdkafka", &counted, || count_bytes(&brokers));
    measure(&mut group, "arrow_appender", &appended, append);
    group.finish();
    criterion.final_summary();

    let medians = ours.median().zip(counted.median()).zip(appended.median());
    if let Some(((ours, counted), appended)) = medians {
        let rate = |seconds: f64| LINES as f64 / seconds / 1e3;
        let slower = counted.max(appended);
        verdict(
            &format!("stream: {:.0} k lines/s, broker to committed rows", rate(ours)),
            "500 k, and 45 % of the slower yardstick",
            &[
                format!(
                    "librdkafka's batch call counting bytes: {:.0} k messages/s",
                    rate(counted)
                ),
                format!(
                    "Arrow batches into an identical table: {:.0} k lines/s' worth of rows",
                    rate(appended)
                ),
                format!("{:.0} % of the slower", 100.0 * slower / ours),
            ],
        );
    }
}

/// Has criterion take the time that `work` answers: without joining the group, which takes the broker three seconds.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, times: &Times, work: impl Fn() -> Duration) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| times.note(work())).sum());
    });
}

/// A broker with all the lines, a partition for each bike.
fn fill() -> MockCluster<'static, DefaultProducerContext> {
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic("deloton", PARTITIONS, 1).unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("linger.ms", "50")
        .create()
        .unwrap();
    let mut text = Vec::new();
    lines::write(LINES_OF_FLEET, &mut text).unwrap();
    // Some hours into the lines, which are stamped from 2022-01-08 on.
    let stamped = TimeDelta::days(19_000).num_milliseconds() + TimeDelta::hours(3).num_milliseconds();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    for (line, fleet) in lines.flat_map(|line| (0..FLEETS).map(move |fleet| (line, fleet))) {
        // `{"key": "SN0007", "log": …`: bikes send the key as Kafka's.
        let text = std::str::from_utf8(line).unwrap().replace("SN0", &format!("SN{fleet}"));
        let (key, rest) = (&text[9..15], &text[18..]);
        let payload = format!("{{{rest}");
        let bike: i32 = key[3..].parse().unwrap();
        let partition = bike + 24 * fleet as i32;
        let mut record = BaseRecord::to("deloton")
            .partition(partition)
            .key(key)
            .payload(&payload)
            .timestamp(stamped);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    broker
}

fn config(brokers: &str) -> KafkaConfig {
    static GROUPS: AtomicU32 = AtomicU32::new(0);
    KafkaConfig {
        brokers: brokers.to_owned(),
        topic: "deloton".to_owned(),
        group: GROUPS.fetch_add(1, Ordering::Relaxed).to_string(),
        properties: Vec::new(),
        start: StartAt::Earliest,
        lookback: TimeDelta::hours(2),
        log_timezone: chrono_tz::UTC,
        identity: Some("bench".to_owned()),
        node: "bench".to_owned(),
    }
}

/// Takes the time from the first commit to the last, for all lines' worth.
struct Watch {
    first: Option<(Instant, i64)>,
    stored: i64,
    stop: Arc<AtomicBool>,
    took: Duration,
}

impl Listener for Watch {
    fn written(&mut self, written: &Written) {
        assert_eq!(written.rejected, 0);
        self.stored += written.messages;
        if self.stored == 0 {
            return;
        }
        let (began_at, before) = *self.first.get_or_insert((Instant::now(), self.stored));
        if self.stored == LINES as i64 && !self.stop.swap(true, Ordering::Relaxed) {
            let share = LINES as f64 / (self.stored - before) as f64;
            self.took = began_at.elapsed().mul_f64(share);
        }
    }

    fn stands(&mut self, _: &Standing) {}
}

fn consume(brokers: &str) -> Duration {
    let (_folder, store) = open();
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = Consumer {
        store,
        rules: Rules::default(),
        log_timezone: chrono_tz::UTC,
        kafka: config(brokers),
        live: Arc::new(LiveBoard::new()),
        compose: None,
        stop: Arc::clone(&stop),
    };
    let mut watch = Watch {
        first: None,
        stored: 0,
        stop,
        took: Duration::ZERO,
    };
    consumer.run(&mut watch).unwrap();
    assert_eq!(watch.stored, LINES as i64);
    watch.took
}

fn count_bytes(brokers: &str) -> Duration {
    let mut source = KafkaSource::connect(config(brokers), Arc::default(), &mut |_| {})
        .unwrap()
        .unwrap();
    source.subscribe(Box::new(|_| Ok(None))).unwrap();
    let (mut messages, mut bytes, mut idle_at) = (0, 0, Instant::now());
    while messages < LINES {
        let polled = source.poll(Duration::from_millis(100), 10_000, &mut |polled| {
            if let Polled::Message(message) = polled {
                bytes += message.payload.len();
            }
        });
        messages += polled.unwrap();
        if messages == 0 {
            idle_at = Instant::now();
        }
    }
    let took = idle_at.elapsed();
    assert!(bytes > 80 * LINES);
    took
}

/// Half as many rows as there are lines: a reading is two.
fn append() -> Duration {
    let (_folder, store) = open();
    let connection = store.connection().unwrap();
    connection
        .execute_batch("create table identical as from daily.reading limit 0")
        .unwrap();
    let batch = connection
        .prepare(&format!(
            "select uuid() as ride_id, i::integer as second, now() as recorded_at, 30::integer as resistance,
             100::integer as heart_rate_bpm, false as is_dropout, 60::integer as cadence_rpm, 50.5::double as power_watts,
             false as is_flagged from range({BATCH_ROWS}) as t (i)"
        ))
        .unwrap()
        .query_arrow([])
        .unwrap()
        .collect::<Vec<_>>();
    let started = Instant::now();
    let mut rows = 0;
    while rows < LINES / 2 {
        connection.execute_batch("begin").unwrap();
        let mut appender = connection.appender("identical").unwrap();
        for part in &batch {
            appender.append_record_batch(part.clone()).unwrap();
            rows += part.num_rows();
        }
        appender.flush().unwrap();
        drop(appender);
        connection.execute_batch("commit").unwrap();
    }
    started.elapsed().mul_f64((LINES / 2) as f64 / rows as f64)
}

/// An empty store that uses two cores, whatever the machine has.
fn open() -> (tempfile::TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), Clock::System).unwrap();
    store.connection().unwrap().execute_batch("set threads = 2").unwrap();
    (data, store)
}
