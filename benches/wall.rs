//! The live wall: what 500 browsers that watch 10,000 bikes cost the server, and whether ingestion notices.
//!
//! The broker and whoever writes to it run in the measured process too; the browsers are a process of their own.
//! Yardstick: the same without browsers.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/bikes.rs"]
mod bikes;
#[path = "support/server.rs"]
mod server;
#[path = "support/verdict.rs"]
mod verdict;

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bikes::{Bikes, stamp};
use chrono::TimeDelta;
use deloton::{
    clock::Clock,
    config::settings::StartAt,
    domain::live::LiveBoard,
    ingest::{
        consume::{Consumer, Listener, Standing},
        sessionize::Rules,
        source::KafkaConfig,
        writer::Written,
    },
    store::Store,
};
use rdkafka::mocking::MockCluster;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use verdict::verdict;

const BIKES: u64 = 10_000;
const BROWSERS: usize = 500;
/// Parts of a second in which as many bikes each write.
const SLOTS: u64 = 100;
/// How long is measured.
const SPAN: Duration = Duration::from_secs(20);
/// The argument of the process that the browsers are.
const BROWSE: &str = "--browse";

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == BROWSE) {
        browse(&arguments[place + 1]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("deloton", 8, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let stop = Arc::new(AtomicBool::new(false));
    let live = Arc::new(LiveBoard::new());
    let consumer = consumer(&store, &brokers, &stop, &live);
    let consuming = thread::spawn(move || consumer.run(&mut Silent).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = server::serve(&runtime, &store, &live);

    let probe = Probe::default();
    let riding = thread::spawn({
        let (stop, probe) = (Arc::clone(&stop), probe.clone());
        move || ride(&brokers, &stop, &probe)
    });
    while live.riding() < BIKES as usize {
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_secs(5));
    let alone = measure(&live, &probe);
    let mut browsers = Browsers::start(&address, &probe);
    thread::sleep(Duration::from_secs(5));
    probe.seen.lock().unwrap().clear();
    let watched = measure(&live, &probe);
    let kilobytes = browsers.end();
    let mut on_screen: Vec<f64> = probe.seen.lock().unwrap().drain(..).collect();
    on_screen.sort_unstable_by(f64::total_cmp);
    let percentile = |percent: usize| on_screen[(on_screen.len() * percent / 100).min(on_screen.len() - 1)];
    stop.store(true, Ordering::Relaxed);
    riding.join().unwrap();
    consuming.join().unwrap();
    runtime.shutdown_background();

    verdict(
        &format!(
            "live: {BROWSERS} browsers that watch {BIKES} bikes cost {:.2} cores; a second is on the screen after {:.2} s \
             (median), {:.2} s (99 of 100)",
            watched.cores - alone.cores,
            percentile(50),
            percentile(99),
        ),
        "less than one core, within 1 s",
        &[
            format!("the server without them: {:.2} cores", alone.cores),
            format!(
                "ingestion knows of a second after {:.2} s, without them after {:.2} s",
                watched.known_after, alone.known_after
            ),
            format!("{kilobytes:.0} kB/s a browser"),
        ],
    );
}

/// What was measured over [`SPAN`].
struct Measured {
    /// Cores that this process was busy with.
    cores: f64,
    /// How long after it was sent the board knows of a second: the median, in seconds.
    known_after: f64,
}

fn measure(live: &LiveBoard, probe: &Probe) -> Measured {
    let (began, before) = (Instant::now(), processor_seconds());
    let mut delays = Vec::new();
    let mut last = 0;
    while began.elapsed() < SPAN {
        thread::sleep(Duration::from_millis(2));
        let Some((bike, _)) = live.bike("PROBE") else { continue };
        if bike.now.second > last {
            last = bike.now.second;
            let watts = format!("{}", bike.now.power_watts.unwrap());
            let sent = probe.sent.lock().unwrap().get(&watts).copied();
            delays.extend(sent.map(|sent| sent.elapsed().as_secs_f64()));
        }
    }
    delays.remove(0);
    delays.sort_unstable_by(f64::total_cmp);
    Measured {
        cores: (processor_seconds() - before) / began.elapsed().as_secs_f64(),
        known_after: delays[delays.len() / 2],
    }
}

/// Processor time of this process so far, by the kernel's clock of 100 ticks a second.
fn processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may have spaces: user and system time are the 12th and 13th.
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// One bike whose seconds can be told by their watts.
#[derive(Clone, Default)]
struct Probe {
    /// When each second was sent, by its watts as they are written.
    sent: Arc<Mutex<HashMap<String, Instant>>>,
    /// How long each took to be on a screen.
    seen: Arc<Mutex<Vec<f64>>>,
}

/// All the bikes, each a second's two lines a second, and the probe at a moment that has nothing to do with frames.
fn ride(brokers: &str, stop: &AtomicBool, probe: &Probe) {
    let mut bikes = Bikes::new(brokers);
    let serials: Vec<String> = (0..BIKES).map(|bike| format!("SN{bike:05}")).collect();
    for (rider, serial) in (1..).zip(serials.iter().map(String::as_str).chain(["PROBE"])) {
        bikes.header(serial, rider, 30, Clock::System.now());
    }
    let began = Instant::now();
    for slot in 0_u64.. {
        let due = Duration::from_millis(slot * 1_000 / SLOTS);
        thread::sleep(due.saturating_sub(began.elapsed()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let now = Clock::System.now();
        let stamp = stamp(now);
        for serial in serials.iter().skip((slot % SLOTS) as usize).step_by(SLOTS as usize) {
            bikes.second(
                serial,
                slot / SLOTS + 1,
                100 + slot % 50,
                50.5 + (slot % 200) as f64,
                now,
                &stamp,
            );
        }
        if slot % SLOTS == slot / SLOTS * 37 % SLOTS {
            let second = slot / SLOTS + 1;
            let watts = 1_000.1 + second as f64;
            probe.sent.lock().unwrap().insert(format!("{watts:.1}"), Instant::now());
            bikes.second("PROBE", second, 100, watts, now, &stamp);
        }
        bikes.poll();
    }
}

/// The process that the browsers are.
struct Browsers {
    process: Child,
    bytes: Arc<AtomicU64>,
    began: Instant,
}

impl Browsers {
    fn start(address: &str, probe: &Probe) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([BROWSE, address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let bytes = Arc::new(AtomicU64::new(0));
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (probe, counted) = (probe.clone(), Arc::clone(&bytes));
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(count) = line.strip_prefix("bytes ") {
                    counted.store(count.parse().unwrap(), Ordering::Relaxed);
                } else if let Some(sent) = probe.sent.lock().unwrap().remove(&line) {
                    probe.seen.lock().unwrap().push(sent.elapsed().as_secs_f64());
                }
            }
        });
        Browsers {
            process,
            bytes,
            began: Instant::now(),
        }
    }

    /// Closes them; answers kilobytes a second that each got.
    fn end(&mut self) -> f64 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.bytes.load(Ordering::Relaxed) as f64 / 1e3 / self.began.elapsed().as_secs_f64() / BROWSERS as f64
    }
}

/// Opens the streams and reads what comes: prints the watts of each second of the probe, and the bytes so far.
#[tokio::main(flavor = "current_thread")]
async fn browse(address: &str) {
    let bytes = Arc::new(AtomicU64::new(0));
    let streams: Vec<_> = (0..BROWSERS)
        .map(|number| tokio::spawn(watch(address.to_owned(), number == 0, Arc::clone(&bytes))))
        .collect();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("bytes {}", bytes.load(Ordering::Relaxed));
        assert!(streams.iter().all(|stream| !stream.is_finished()), "a stream has ended");
    }
}

async fn watch(address: String, is_read: bool, bytes: Arc<AtomicU64>) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /live/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut text = String::new();
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            return;
        }
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        if !is_read {
            continue;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        while let Some(end) = text.find("\n\n") {
            let frame: String = text.drain(..end + 2).collect();
            // Only the probe has more than a thousand watts.
            if let Some((_, after)) = frame.split_once(",100,1") {
                let rest = after.split(',').next().unwrap_or_default();
                println!("1{rest}");
                std::io::stdout().flush().unwrap();
            }
        }
    }
}

struct Silent;

impl Listener for Silent {
    fn written(&mut self, _: &Written) {}

    fn stands(&mut self, _: &Standing) {}
}

fn consumer(store: &Store, brokers: &str, stop: &Arc<AtomicBool>, live: &Arc<LiveBoard>) -> Consumer {
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
        live: Arc::clone(live),
        compose: None,
        stop: Arc::clone(stop),
    }
}
