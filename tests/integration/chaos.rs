//! The whole program on a stream of known content, killed at random instants again and again: what it holds in the end is
//! what an undisturbed run holds, row for row, and nobody was written to twice.
//!
//! `make crash` runs more of it: `make crash KILLS=200 SEED=7`. Every decision comes from the seed, which is printed.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _},
};

use crate::{
    crash::{Line, PATIENCE, catch_up, consume, stream},
    program::{Dice, Sandbox, files_below, rows},
};

const DAY: &str = "2026-05-05";

/// Kills of a run that is part of all the tests.
const FEW: u32 = 12;

const RECIPIENTS: [&str; 3] = ["ceo@deloton.example", "one@deloton.example", "two@deloton.example"];

/// What people see, and how it was accounted for; in an order of its own. Of readings a hash, since they are many.
const HELD: [&str; 8] = [
    "from ride order by ride_id",
    "select count(*) as readings, count(distinct (ride_id, second)) as seconds, bit_xor(hash(reading)) as hash,
     sum(hash(reading) % 1000003) as sum from reading as reading",
    "from rider order by rider_id",
    "select distinct * from (from daily.alert union all select * exclude (business_day) from historical.alert) order by all",
    "select partition, \"offset\", reason, md5(raw) as raw from daily.rejected_line order by all",
    "select topic, partition, next_offset from ops.stream order by partition",
    "select * exclude (source) from ops.line_count order by all",
    "from historical.daily_totals order by all",
];

struct Chaos {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
    stream: Vec<Line>,
    produced: usize,
    dice: Dice,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("deloton", 3, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("linger.ms", "20")
            // What is sent again after the broker was away must not come twice, nor in another order.
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        Chaos {
            cluster,
            producer,
            stream: stream(),
            produced: 0,
            dice: Dice(seed),
        }
    }

    /// Produces the next part of the stream.
    fn produce(&mut self, count: usize) {
        let until = (self.produced + count).min(self.stream.len());
        for (key, at, payload) in &self.stream[self.produced..until] {
            let mut record = BaseRecord::to("deloton").key(key).payload(payload).timestamp(*at);
            while let Err((_, back)) = self.producer.send(record) {
                self.producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        self.producer.flush(Duration::from_secs(20)).unwrap();
        self.produced = until;
    }

    /// Lets it work for a while that begins with its start or with its first partition, then kills it. Answers whether it
    /// was at work.
    fn consume_and_kill(&mut self, sandbox: &Sandbox, part: usize) -> bool {
        let mut running = sandbox.start(&consume(&self.cluster.bootstrap_servers()));
        self.produce(part);
        if self.dice.below(4) == 0 {
            thread::sleep(Duration::from_millis(self.dice.below(3_200)));
        } else {
            let deadline = Instant::now() + PATIENCE;
            while !running.log().contains("consuming") && Instant::now() < deadline && !running.is_over() {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(self.dice.below(900)));
        }
        if self.dice.below(6) == 0 {
            self.cluster.broker_down(-1).unwrap();
            thread::sleep(Duration::from_millis(self.dice.below(700)));
            self.cluster.broker_up(-1).unwrap();
            thread::sleep(Duration::from_millis(self.dice.below(900)));
        }
        running.kill()
    }
}

/// Runs a job, to be killed at a random instant. Answers whether it was at work.
fn run_and_kill(sandbox: &Sandbox, job: &str, dice: &mut Dice) -> bool {
    let mut running = sandbox.start(&run(job));
    thread::sleep(Duration::from_millis(dice.below(900)));
    running.kill()
}

fn run(job: &str) -> Vec<&str> {
    let mut arguments = vec!["run", job, "--day", DAY];
    if job == "notify" {
        RECIPIENTS.iter().for_each(|to| arguments.extend(["--mail-to", to]));
    }
    arguments
}

/// Takes part of the stream in with the room for its files limited, as on a full disk: it ends with a message.
fn fill_disk(chaos: &mut Chaos, sandbox: &Sandbox) {
    let command = sandbox.command(&consume(&chaos.cluster.bootstrap_servers()));
    let database = sandbox.data().join("deloton.duckdb");
    let blocks = std::fs::metadata(database).map_or(0, |file| file.len()) / 1024 + 64;
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.current_dir(command.get_current_dir().unwrap());
    let mut child = limited.spawn().unwrap();
    chaos.produce(4_000);
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().ok();
    child.wait().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "what `make crash` says")]
fn parameter(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whenever_it_is_killed_it_holds_in_the_end_what_an_undisturbed_run_holds() {
    let kills = parameter("DELOTON_CRASH_KILLS").map_or(FEW, |kills| u32::try_from(kills).unwrap());
    let seed = parameter("DELOTON_CRASH_SEED").unwrap_or(20_260_505);
    println!("{kills} kills, seed {seed}: again with `make crash KILLS={kills} SEED={seed}`");
    let mut chaos = Chaos::new(seed);
    let shaken = Sandbox::new();
    let part = chaos.stream.len() / usize::try_from(kills).unwrap() * 2;
    let mut hits = [
        ("consume", 0),
        ("compact", 0),
        ("report", 0),
        ("publish", 0),
        ("notify", 0),
    ];
    let mut done = 0;
    while done < kills {
        let what = match chaos.dice.below(10) {
            0..6 => 0,
            6 | 7 => 1,
            8 => 2 + usize::try_from(chaos.dice.below(2)).unwrap(),
            _ => 4,
        };
        let was_at_work = match hits[what].0 {
            "consume" => chaos.consume_and_kill(&shaken, part),
            job => run_and_kill(&shaken, job, &mut chaos.dice),
        };
        done += u32::from(was_at_work);
        hits[what].1 += u32::from(was_at_work);
        if done == kills / 2 {
            fill_disk(&mut chaos, &shaken);
        }
    }
    println!("killed while at work: {hits:?}");
    let calm = Sandbox::new();
    chaos.produce(usize::MAX / 2);
    for sandbox in [&shaken, &calm] {
        catch_up(sandbox, &chaos.cluster.bootstrap_servers(), chaos.stream.len());
        sandbox.succeed(&["run", "compact", "--day", DAY]);
        sandbox.succeed(&["run", "report", "--day", DAY]);
        sandbox.succeed(&["run", "publish", "--day", DAY]);
        let said = sandbox.succeed(&["status", "--reconcile"]);
        assert!(said.contains("is accounted for"), "seed {seed}: {said}");
    }
    let (held, expected) = (shaken.store(), calm.store());
    for query in HELD {
        let (held, expected) = (rows(&held, query), rows(&expected, query));
        assert!(!expected.is_empty() || query.contains("alert"), "{query}");
        let first = held.iter().zip(&expected).find(|(held, expected)| held != expected);
        assert_eq!(first, None, "seed {seed}: {query}");
        assert_eq!(held.len(), expected.len(), "seed {seed}: {query}");
    }
    drop((held, expected));
    // Pages say that a day was restated; what they show of it is in the tables compared above.
    assert_eq!(shaken.hashes("lake"), calm.hashes("lake"), "seed {seed}");
    // A mail whose fate nobody knows is a person's to decide about: then the job says so.
    let last = shaken.run(&run("notify"));
    let unknown = shaken.rows("select recipient from ops.outbox where state = 'unknown' order by all");
    assert_eq!(last.status.success(), unknown.is_empty(), "seed {seed}: {last:?}");
    let mut mailed: Vec<String> = files_below(&shaken.data().join("outbox"))
        .into_iter()
        .filter(|(name, _)| name.ends_with(".eml"))
        .filter_map(|(_, bytes)| {
            let mail = mail_parser::MessageParser::default().parse(&bytes)?;
            let to = mail.to()?.first()?.address()?.to_owned();
            RECIPIENTS.contains(&to.as_str()).then_some(to)
        })
        .collect();
    let mails = mailed.len();
    mailed.sort();
    mailed.dedup();
    assert_eq!(mailed.len(), mails, "seed {seed}: somebody was written to twice");
    assert!(
        mails + unknown.len() >= RECIPIENTS.len(),
        "seed {seed}: {mailed:?}, {unknown:?}"
    );
}
