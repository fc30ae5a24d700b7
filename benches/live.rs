//! While bikes ride: how long until a second can be queried, and until an alert is in the outbox, counted from before
//! the message is given to the broker.
//!
//! Load: 50,000 bikes, 100,000 lines a second, while a report is rendered and the rides are queried again and again; the
//! broker and whoever writes to it run on the same cores. Yardstick: the same without the load.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/bikes.rs"]
mod bikes;
#[path = "support/days.rs"]
mod days;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bikes::{Bikes, stamp};
use chrono::{NaiveDate, TimeDelta};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use deloton::{
    clock::Clock,
    config::settings::StartAt,
    domain::{heart_rate::AlertRule, live::LiveBoard},
    ingest::{
        consume::{Consumer, Listener, Standing},
        sessionize::Rules,
        source::KafkaConfig,
        writer::{Compose, Written},
    },
    jobs::{sql_files, transform},
    notify::{
        mime,
        render::{HeartRateAlert, heart_rate_alert},
    },
    report::{
        html::Neighbours,
        model::{self, ReportRule},
        site::{Site, daily_artifacts},
    },
    store::{Store, daily_table::ChangedTypes, query},
    template::Templates,
};
use rdkafka::{mocking::MockCluster, producer::Producer as _};
use times::Times;
use verdict::verdict;

const PARTITIONS: i32 = 8;

/// Each writes two lines a second.
const BIKES: u64 = 50_000;

/// Parts of a second in which as many bikes each write.
const SLOTS: u64 = 100;

/// Seconds of which the figures are made.
const PROBES: usize = 100;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    let day = NaiveDate::from_ymd_opt(2025, 2, 4).unwrap();
    days::fill(&store, day, 1_000, 120);
    store.seal(day).unwrap();
    for table in sql_files::names(None).unwrap() {
        transform::run(&store, None, &table, day, ChangedTypes::Refuse).unwrap();
    }

    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("deloton", PARTITIONS, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = consumer(&store, &brokers, &stop);
    let consuming = thread::spawn(move || consumer.run(&mut Silent).unwrap());
    let mut probe = Probe::new(&brokers, &store);
    // Joining the group takes seconds.
    probe.reading();

    let times: [Times; 4] = Default::default();
    let [idle_reading, idle_alert, reading, alert] = &times;
    let mut group = criterion.benchmark_group("live");
    group
        .sample_size(PROBES)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1));
    measure(&mut group, "idle_reading", idle_reading, || probe.reading());
    measure(&mut group, "idle_alert", idle_alert, || probe.alert());
    let sent = Arc::new(AtomicU64::new(0));
    let others = [
        spawn(&stop, {
            let (brokers, sent) = (brokers.clone(), Arc::clone(&sent));
            move |stop| ride(&brokers, &sent, stop)
        }),
        spawn(&stop, {
            let store = store.clone();
            move |stop| report_and_query(&store, day, stop)
        }),
    ];
    // Headers of 50,000 riders come first.
    thread::sleep(Duration::from_secs(10));
    let (from, began) = (sent.load(Ordering::Relaxed), Instant::now());
    measure(&mut group, "reading", reading, || probe.reading());
    measure(&mut group, "alert", alert, || probe.alert());
    let rate = (sent.load(Ordering::Relaxed) - from) as f64 / began.elapsed().as_secs_f64();
    group.finish();
    criterion.final_summary();
    stop.store(true, Ordering::Relaxed);
    others.into_iter().for_each(|other| other.join().unwrap());
    consuming.join().unwrap();

    for (what, required, loaded, idle) in [
        ("a second can be queried", "2 s", reading, idle_reading),
        ("an alert is in the outbox", "1 s", alert, idle_alert),
    ] {
        let middle = loaded.median().zip(idle.median());
        let slowest = loaded.percentile(99).zip(idle.percentile(99));
        if let Some(((middle, idle_middle), (slowest, idle_slowest))) = middle.zip(slowest) {
            verdict(
                &format!(
                    "live: {what} after {middle:.2} s (median), {slowest:.2} s (99 of 100), at {:.0} k lines/s",
                    rate / 1e3
                ),
                &format!("99 of 100 within {required}, at 100 k lines/s"),
                &[format!(
                    "without load: {idle_middle:.2} s and {idle_slowest:.2} s, ratios {:.1} and {:.1}",
                    middle / idle_middle,
                    slowest / idle_slowest
                )],
            );
        }
    }
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, times: &Times, mut work: impl FnMut() -> Duration) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| times.note(work())).sum());
    });
}

fn spawn(stop: &Arc<AtomicBool>, work: impl FnOnce(&AtomicBool) + Send + 'static) -> thread::JoinHandle<()> {
    let stop = Arc::clone(stop);
    thread::spawn(move || work(&stop))
}

struct Silent;

impl Listener for Silent {
    fn written(&mut self, _: &Written) {}

    fn stands(&mut self, _: &Standing) {}
}

fn consumer(store: &Store, brokers: &str, stop: &Arc<AtomicBool>) -> Consumer {
    let templates = Templates::load(None).unwrap();
    let compose: Compose = Arc::new(move |alert| {
        let recipient = alert.warned.email_address.as_deref()?;
        let mail = HeartRateAlert::new(alert, &AlertRule::default(), "Europe/London", "alerts@deloton.example");
        let message = heart_rate_alert(&templates, &mail, recipient).unwrap();
        Some(mime::seal(&message, "alerts@deloton.example", Clock::System.now()).unwrap())
    });
    Consumer {
        store: store.clone(),
        rules: Rules::default(),
        log_timezone: chrono_tz::UTC,
        kafka: KafkaConfig {
            brokers: brokers.to_owned(),
            topic: "deloton".to_owned(),
            group: "deloton".to_owned(),
            properties: Vec::new(),
            start: StartAt::Earliest,
            lookback: TimeDelta::hours(2),
            log_timezone: chrono_tz::UTC,
            identity: Some("bench".to_owned()),
            node: "bench".to_owned(),
        },
        live: Arc::new(LiveBoard::new()),
        compose: Some(compose),
        stop: Arc::clone(stop),
    }
}

/// Renders a report and asks what a dashboard asks, over and over.
fn report_and_query(store: &Store, day: NaiveDate, stop: &AtomicBool) {
    let templates = Templates::load(None).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let model = model::build(store, &ReportRule::default(), day).unwrap();
        daily_artifacts(&model, Neighbours::default(), Site::new(&templates, None)).unwrap();
        for _ in 0..10 {
            query::rides(store, &query::RideFilter::default(), 100).unwrap();
            query::ledger::standing(store).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// All the bikes, each a second's two lines a second.
fn ride(brokers: &str, sent: &AtomicU64, stop: &AtomicBool) {
    let mut bikes = Bikes::new(brokers);
    let serials: Vec<String> = (0..BIKES).map(|bike| format!("SN{bike:05}")).collect();
    for (rider, serial) in (1..).zip(&serials) {
        bikes.header(serial, rider, 30, Clock::System.now());
    }
    let began = Instant::now();
    for slot in 0.. {
        let due = Duration::from_millis(slot * 1_000 / SLOTS);
        thread::sleep(due.saturating_sub(began.elapsed()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let now = Clock::System.now();
        let stamp = stamp(now);
        for serial in serials.iter().skip((slot % SLOTS) as usize).step_by(SLOTS as usize) {
            bikes.second(serial, slot / SLOTS + 1, 100 + slot % 50, 50.5, now, &stamp);
            sent.fetch_add(2, Ordering::Relaxed);
        }
        bikes.poll();
    }
}

/// One more bike, whose lines are waited for.
struct Probe {
    bikes: Bikes,
    store: Store,
    began: Instant,
    second: u64,
    alerts: u64,
    readings: u64,
}

impl Probe {
    fn new(brokers: &str, store: &Store) -> Self {
        let mut bikes = Bikes::new(brokers);
        bikes.header("PROBE", 900_000, 30, Clock::System.now());
        Probe {
            bikes,
            store: store.clone(),
            began: Instant::now(),
            second: 0,
            alerts: 0,
            readings: 0,
        }
    }

    /// A second of the bike's, at a moment that has nothing to do with flushes.
    fn reading(&mut self) -> Duration {
        self.readings += 1;
        thread::sleep(Duration::from_millis(self.readings * 37 % 250));
        let watts = 1_000.0 + self.readings as f64;
        self.second = self.began.elapsed().as_secs().max(self.second + 1);
        let second = self.second;
        let now = Clock::System.now();
        let sent = Instant::now();
        self.bikes.second("PROBE", second, 100, watts, now, &stamp(now));
        // The reading is whole when its ride line and its telemetry line are there.
        self.wait(
            sent,
            "select count(*) from daily.reading where recorded_at > now() - interval 1 minute and power_watts = ?::double",
            &watts.to_string(),
        )
    }

    /// Ten seconds beyond the limit, of a bike of their own.
    fn alert(&mut self) -> Duration {
        self.alerts += 1;
        thread::sleep(Duration::from_millis(self.alerts * 37 % 250));
        let serial = format!("ALARM{}", self.alerts);
        let begun = Clock::System.now() - TimeDelta::seconds(11);
        self.bikes.header(&serial, 900_000 + self.alerts, 60, begun);
        for second in 1..10 {
            let at = begun + TimeDelta::seconds(second as i64);
            self.bikes.second(&serial, second, 200, 50.5, at, &stamp(at));
        }
        self.bikes.producer.flush(Duration::from_secs(10)).unwrap();
        let now = begun + TimeDelta::seconds(10);
        let sent = Instant::now();
        self.bikes.second(&serial, 10, 200, 50.5, now, &stamp(now));
        let recipient = format!("{serial}@riders.deloton.com");
        self.wait(sent, "select count(*) from ops.outbox where recipient = ?", &recipient)
    }

    fn wait(&self, sent: Instant, sql: &str, parameter: &str) -> Duration {
        let connection = self.store.connection().unwrap();
        let mut count = connection.prepare(sql).unwrap();
        while count.query_row([parameter], |row| row.get::<_, i64>(0)).unwrap() == 0 {
            assert!(
                sent.elapsed() < Duration::from_secs(60),
                "nothing came: {sql} {parameter}"
            );
            self.bikes.poll();
            thread::sleep(Duration::from_millis(5));
        }
        sent.elapsed()
    }
}
