//! The API over a year of rides: 165,000 a day of a million riders, in one database, asked by oha over loopback.
//!
//! Yardstick: a service of `FastAPI` and DuckDB (`api/service.py`), which is asked the same of the same database once the
//! server is gone. What it needs is fetched by `make bench-api`; without that there is nothing to measure with.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/lines.rs"]
mod lines;
#[path = "support/server.rs"]
mod server;
#[path = "support/verdict.rs"]
mod verdict;
#[path = "support/year.rs"]
mod year;

use std::{
    env,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use deloton::{
    domain::live::LiveBoard,
    ingest::{file::ingest_file, sessionize::Rules},
    store::Store,
};
use serde_json::Value;
use verdict::verdict;

/// Where `tools/bench-api` put oha and the service's packages.
const TOOLS: &str = "DELOTON_BENCH_TOOLS";
/// Where the year is kept, and how many days it has, where those are not [`DAYS`].
const FOLDER: &str = "DELOTON_BENCH_YEAR";
const DAYS_WANTED: &str = "DELOTON_BENCH_DAYS";
const DAYS: u32 = 365;

/// Rides that are asked for again and again.
const HOT_RIDES: usize = 1_000;
/// Rides of which those are drawn that nobody has asked for.
const COLD_RIDES: usize = 50_000;
/// Requests a second while lines are taken in: those that are required of a hot set.
const REQUESTS_MEANWHILE: u32 = 3_000;
/// Lines that are taken in at a time, and how often, alone and beside requests by turns.
const LINES: usize = 4_000_000;
const TURNS: usize = 3;

fn main() {
    let Some(tools) = env::var_os(TOOLS).map(PathBuf::from) else {
        println!("api: left out; `make bench-api` fetches what it takes\n");
        return;
    };
    let days = env::var_os(DAYS_WANTED).map_or(DAYS, |days| days.to_str().unwrap().parse().unwrap());
    let folder = env::var_os(FOLDER).map_or_else(|| tools.join("year"), PathBuf::from);
    let store = year::open(&folder, days);
    let questions = Questions::over(&store, days);
    drop(store);
    let database = folder.join("deloton.duckdb");

    let work = tempfile::tempdir().unwrap();
    let oha = Oha {
        program: tools.join("oha/bin/oha"),
        urls: work.path().join("urls"),
    };
    evict(&database);
    let ours = Deloton::start(&folder);
    let our_figures = questions.ask(&oha, &ours.address);
    ours.measure_ingestion(&oha, &questions.hot, work.path());
    drop(ours);
    evict(&database);
    let theirs = FastApi::start(&tools, &database);
    let their_figures = questions.ask(&oha, &theirs.address);
    drop(theirs);

    for (question, (ours, theirs)) in questions.all().iter().zip(our_figures.iter().zip(&their_figures)) {
        let ratio = if question.is_of_rate {
            ours.requests_per_second / theirs.requests_per_second
        } else {
            theirs.p99 / ours.p99
        };
        verdict(
            &format!("api, {days} days: {}: {ours}", question.name),
            question.required,
            &[format!("FastAPI and DuckDB: {theirs}"), format!("ratio {ratio:.1}")],
        );
    }
}

/// Something that is asked for in several forms.
struct Question {
    name: &'static str,
    required: &'static str,
    /// Paths with their queries.
    paths: Vec<String>,
    connections: u32,
    seconds: u32,
    /// It is about requests a second, rather than how long one takes.
    is_of_rate: bool,
}

struct Questions {
    cold: Question,
    hot: Question,
    others: Vec<Question>,
}

impl Questions {
    fn over(store: &Store, days: u32) -> Self {
        let ride = |id: &String| format!("/api/v1/rides/{id}");
        let drawn = draw_rides(store);
        let question = |name, required, paths| Question {
            name,
            required,
            paths,
            connections: 1,
            seconds: 15,
            is_of_rate: false,
        };
        let last = year::last_day(days);
        let first = |span: u64| (last - chrono::Days::new(span.min(u64::from(days) - 1))).to_string();
        let board = |query: String| format!("/api/v1/leaderboard?{query}");
        let measures = ["rides", "duration", "energy", "power_mean", "power_max"];
        let of_measures = |query: &str| {
            let paths = measures
                .iter()
                .map(|measure| board(format!("measure={measure}{query}")));
            paths.collect::<Vec<_>>()
        };
        let of_towns = |query: String| {
            let towns = (0..100).map(|town| format!("/api/v1/rides?city=Town%20{town}&limit=100{query}"));
            towns.collect::<Vec<_>>()
        };
        Questions {
            cold: question(
                "a ride that nobody asked for since the start",
                "99 of 100 in 50 ms",
                drawn.iter().skip(HOT_RIDES).map(ride).collect(),
            ),
            hot: Question {
                connections: 16,
                is_of_rate: true,
                ..question(
                    "a ride of a hot set",
                    "3,000 requests/s, 99 of 100 in 10 ms",
                    drawn.iter().take(HOT_RIDES).map(ride).collect(),
                )
            },
            others: vec![
                question("the leaderboard of all rides", "99 of 100 in 50 ms", of_measures("")),
                question("the leaderboard of women", "3 s", of_measures("&gender=female")),
                question(
                    "the leaderboard of 30 days",
                    "3 s",
                    of_measures(&format!("&from={}&to={last}", first(29))),
                ),
                question(
                    "the leaderboard of half a year, men",
                    "3 s",
                    of_measures(&format!("&gender=male&from={}&to={last}", first(182))),
                ),
                question(
                    "rides of a town in a week",
                    "100 ms",
                    of_towns(format!("&from={}&to={last}", first(6))),
                ),
                question(
                    "rides of a town in 90 days",
                    "100 ms",
                    of_towns(format!("&from={}&to={last}", first(89))),
                ),
            ],
        }
    }

    fn all(&self) -> Vec<&Question> {
        [&self.cold, &self.hot].into_iter().chain(&self.others).collect()
    }

    fn ask(&self, oha: &Oha, address: &str) -> Vec<Figures> {
        let ask = |question: &&Question| {
            if question.is_of_rate {
                // A set is hot once it was asked for.
                oha.ask(address, question);
            }
            let figures = oha.ask(address, question);
            eprintln!("{}: {figures}", question.name);
            figures
        };
        self.all().iter().map(ask).collect()
    }
}

/// Rides of the whole year, in no order.
fn draw_rides(store: &Store) -> Vec<String> {
    let connection = store.connection().unwrap();
    let sql = format!(
        "select ride_id::varchar from historical.ride
        where rider_id % 100 = 7
        order by hash(ride_id)
        limit {}",
        HOT_RIDES + COLD_RIDES
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Has the system forget what it keeps of a file in memory.
fn evict(file: &Path) {
    let evicted = Command::new("dd")
        .arg(format!("of={}", file.display()))
        .args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"])
        .status();
    assert!(evicted.unwrap().success());
}

struct Oha {
    program: PathBuf,
    /// The file that it reads addresses from.
    urls: PathBuf,
}

/// What came of some requests.
struct Figures {
    requests_per_second: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.requests_per_second >= 100.0 {
            write!(formatter, "{:.0} requests/s, ", self.requests_per_second)?;
        }
        write!(formatter, "median {:.1} ms, 99 of 100 in {:.1} ms", self.p50, self.p99)
    }
}

impl Oha {
    fn command(&self, address: &str, question: &Question, seconds: u32) -> Command {
        let urls: Vec<_> = question
            .paths
            .iter()
            .map(|path| format!("http://{address}{path}"))
            .collect();
        fs::write(&self.urls, urls.join("\n")).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args([
                "--no-tui",
                "--output-format",
                "json",
                "--wait-ongoing-requests-after-deadline",
            ])
            .args(["-z", &format!("{seconds}s"), "-c", &question.connections.to_string()])
            .arg("--urls-from-file")
            .arg(&self.urls);
        command
    }

    fn ask(&self, address: &str, question: &Question) -> Figures {
        let output = self.command(address, question, question.seconds).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let statuses = found["statusCodeDistribution"].as_object().unwrap();
        assert!(
            statuses.keys().all(|status| status == "200") && !statuses.is_empty(),
            "{}: {statuses:?}",
            question.name
        );
        let milliseconds = |name: &str| 1e3 * found["latencyPercentiles"][name].as_f64().unwrap();
        Figures {
            requests_per_second: found["summary"]["requestsPerSec"].as_f64().unwrap(),
            p50: milliseconds("p50"),
            p99: milliseconds("p99"),
        }
    }
}

/// The server, in this process.
struct Deloton {
    store: Store,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Deloton {
    fn start(folder: &Path) -> Self {
        let store = Store::open(folder, deloton::clock::Clock::System).unwrap();
        store.connection().unwrap().execute_batch("set threads = 2").unwrap();
        let runtime = deloton::cli::serve::runtime().unwrap();
        let address = server::serve(&runtime, &store, &Arc::new(LiveBoard::new()));
        Deloton {
            store,
            address,
            _runtime: runtime,
        }
    }

    /// Takes in the same lines by turns alone and beside requests.
    fn measure_ingestion(&self, oha: &Oha, hot: &Question, work: &Path) {
        let file = work.join("lines.jsonl");
        let mut out = BufWriter::new(File::create(&file).unwrap());
        lines::write(LINES, &mut out).unwrap();
        out.flush().unwrap();
        let (mut alone, mut meanwhile) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            alone.push(self.take_in(&file));
            let mut asking = oha
                .command(&self.address, hot, 3_600)
                .args(["-q", &REQUESTS_MEANWHILE.to_string()])
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            thread::sleep(Duration::from_secs(1));
            meanwhile.push(self.take_in(&file));
            asking.kill().unwrap();
            asking.wait().unwrap();
        }
        let [alone, meanwhile] = [alone, meanwhile].map(|mut times: Vec<f64>| {
            times.sort_unstable_by(f64::total_cmp);
            times[times.len() / 2]
        });
        verdict(
            &format!(
                "api: beside {REQUESTS_MEANWHILE} requests/s lines are taken in {:.0} % slower, {:.0} k lines/s",
                100.0 * (1.0 - alone / meanwhile),
                LINES as f64 / meanwhile / 1e3
            ),
            "less than 20 % slower",
            &[format!("alone: {:.0} k lines/s", LINES as f64 / alone / 1e3)],
        );
    }

    /// How many seconds it takes to take in a file, of which nothing is left.
    fn take_in(&self, file: &Path) -> f64 {
        let began = Instant::now();
        let summary = ingest_file(&self.store, Rules::default(), chrono_tz::UTC, file, |_, _| {}).unwrap();
        let took = began.elapsed().as_secs_f64();
        assert_eq!(summary.messages, LINES as i64);
        let tables = [
            "daily.reading",
            "daily.ride",
            "daily.rider",
            "daily.alert",
            "ops.ride_source",
            "ops.stream",
            "ops.line_count",
            "ops.checkpoint",
        ];
        let connection = self.store.connection().unwrap();
        let cleared: String = tables.iter().map(|table| format!("delete from {table};")).collect();
        connection
            .execute_batch(&format!("begin; {cleared} commit; checkpoint;"))
            .unwrap();
        took
    }
}

/// The yardstick, in processes of its own: one for each core.
struct FastApi {
    process: Child,
    address: String,
}

impl FastApi {
    fn start(tools: &Path, database: &Path) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new(tools.join("venv/bin/python"))
            .args([
                "-m",
                "uvicorn",
                "service:app",
                "--workers",
                "2",
                "--no-access-log",
                "--loop",
                "uvloop",
            ])
            .args([
                "--http",
                "httptools",
                "--log-level",
                "warning",
                "--port",
                &port.to_string(),
            ])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("api"))
            .env("DATABASE", database)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .spawn()
            .unwrap();
        let address = format!("127.0.0.1:{port}");
        while std::net::TcpStream::connect(&address).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(Duration::from_secs(3));
        FastApi { process, address }
    }
}

impl Drop for FastApi {
    fn drop(&mut self) {
        // Its workers end with it; killed, it would leave them behind.
        let ended = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(ended.unwrap().success());
        self.process.wait().unwrap();
    }
}
