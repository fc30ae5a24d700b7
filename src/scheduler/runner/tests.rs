use std::sync::{
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc,
};

use chrono::{DateTime, Utc};

use super::*;
use crate::{
    domain::{
        run::{JobStatus, Outcome},
        window::Window,
    },
    scheduler::{Run, plan::Reason},
};

const CHAIN: &str = r#"
    [defaults]
    retries = 0
    [[job]]
    name = "compact"
    kind = "compact"
    cron = "20 0 * * *"
    [[job]]
    name = "totals"
    kind = "transform"
    after = ["compact"]
    [[job]]
    name = "cities"
    kind = "transform"
    after = ["compact"]
    [[job]]
    name = "report"
    kind = "report"
    after = ["totals"]
    [[job]]
    name = "mail"
    kind = "notify"
    after = ["report"]
"#;

const NOW: &str = "2026-01-06T12:00:00Z";
const DAY: &str = "2026-01-05";

impl Runner {
    /// Both lanes once; looks at everything to tell.
    fn tick(&self) -> anyhow::Result<Vec<Ended>> {
        self.lock().quiet = None;
        std::thread::scope(|scope| {
            let instants = scope.spawn(|| self.tick_of(Lane::Instant));
            let mut ended = self.tick_of(Lane::Day)?;
            ended.extend(instants.join().unwrap()?);
            Ok(ended)
        })
    }

    /// One lane once; the runs in the order in which they ended.
    fn tick_of(&self, lane: Lane) -> anyhow::Result<Vec<Ended>> {
        let mut ended = Vec::new();
        self.tick_telling(lane, &mut |end| ended.push(end))?;
        Ok(ended)
    }
}

/// A runner over jobs that note that they ran; each can be replaced.
struct World {
    folder: tempfile::TempDir,
    schedule: String,
    now: DateTime<Utc>,
    log: Arc<Mutex<Vec<String>>>,
    jobs: BTreeMap<String, Arc<dyn Job>>,
}

impl World {
    fn new(schedule: &str) -> Self {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let names = Schedule::parse(schedule, "cron.toml")
            .unwrap()
            .jobs
            .into_iter()
            .map(|job| job.name);
        let jobs = names.map(|name| {
            let (log, noted) = (Arc::clone(&log), name.clone());
            let job = move |run: &Run| {
                log.lock().unwrap().push(format!("{noted} {}", run.window));
                Ok(JobStatus::done().count("rows", 7))
            };
            (name, Arc::new(job) as Arc<dyn Job>)
        });
        let jobs = jobs.collect();
        let folder = tempfile::tempdir().unwrap();
        World {
            folder,
            schedule: schedule.to_owned(),
            now: NOW.parse().unwrap(),
            log,
            jobs,
        }
    }

    fn job(mut self, name: &str, job: impl Fn(&Run) -> anyhow::Result<JobStatus> + Send + Sync + 'static) -> Self {
        self.jobs.insert(name.to_owned(), Arc::new(job));
        self
    }

    fn runner(&self) -> Runner {
        self.runner_with(Options {
            cancel_grace: Duration::from_millis(200),
            concurrency: 1,
        })
    }

    fn runner_with(&self, options: Options) -> Runner {
        let clock = Clock::Fixed(self.now);
        let store = Store::open(self.folder.path(), clock).unwrap();
        let schedule = Schedule::parse(&self.schedule, "cron.toml").unwrap();
        Runner::new(schedule, store, clock, self.jobs.clone(), || Stream::CAUGHT_UP, options).unwrap()
    }

    /// As if a day before everything had been seen and a ride had been ridden on `DAY`.
    fn with_a_day(self) -> Self {
        let store = Store::open(self.folder.path(), Clock::Fixed(self.now)).unwrap();
        let names: Vec<_> = self.jobs.keys().map(String::as_str).collect();
        store.see_jobs(names, self.now - chrono::TimeDelta::hours(24)).unwrap();
        self
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn day() -> Window {
    DAY.parse().unwrap()
}

#[test]
fn a_tick_runs_the_chain_to_its_end_and_the_next_tick_nothing() {
    let world = World::new(CHAIN).with_a_day();
    let runner = world.runner();
    let ended = runner.tick().unwrap();
    let expected = ["compact", "totals", "cities", "report", "mail"].map(|job| format!("{job} {DAY}"));
    assert_eq!(world.log(), expected);
    assert!(
        ended
            .iter()
            .all(|run| run.outcome == Outcome::Succeeded && run.counts["rows"] == 7)
    );
    assert!(runner.tick().unwrap().is_empty());

    let run = &runner.inner.store.job_runs(Some("mail"), 1).unwrap()[0];
    assert_eq!(
        (run.outcome, run.reason.as_str(), run.attempt),
        (Outcome::Succeeded, "schedule", 1)
    );
    // The same, said by a new process that knows only the ledger.
    drop(runner);
    assert!(world.runner().tick().unwrap().is_empty());
}

#[test]
fn a_failure_stops_only_what_comes_after_it_and_keeps_its_whole_chain() {
    let world = World::new(CHAIN).with_a_day().job("totals", |_| {
        Err(anyhow::anyhow!("column `x` does not exist").context("failed to make `totals`"))
    });
    let runner = world.runner();
    runner.tick().unwrap();
    assert_eq!(world.log(), [format!("compact {DAY}"), format!("cities {DAY}")]);
    let run = &runner.inner.store.job_runs(Some("totals"), 1).unwrap()[0];
    assert_eq!(run.outcome, Outcome::Failed);
    assert_eq!(
        run.error.as_deref(),
        Some("failed to make `totals`: column `x` does not exist")
    );
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    let world = World::new(CHAIN)
        .with_a_day()
        .job("compact", |_| panic!("a page is missing"));
    let ended = world.runner().tick().unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].error.as_deref(), Some("the job panicked: a page is missing"));
}

#[test]
fn a_run_that_takes_too_long_is_told_to_stop_and_has_failed() {
    let schedule = CHAIN.replace("retries = 0", "retries = 0\ntimeout = \"1s\"");
    let world = World::new(&schedule).with_a_day().job("compact", |run: &Run| {
        loop {
            run.cancel.check()?;
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let ended = world.runner().tick().unwrap();
    assert_eq!(
        ended[0].error.as_deref(),
        Some("took longer than its timeout of 1 s: stopped between two steps")
    );
}

#[test]
fn a_run_that_does_not_stop_is_given_up_and_not_started_again_beside_itself() {
    let schedule = CHAIN.replace("retries = 0", "retries = 0\ntimeout = \"1s\"");
    let (release, held) = mpsc::channel::<()>();
    let (held, starts) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&starts);
    let world = World::new(&schedule).with_a_day().job("compact", move |_: &Run| {
        counted.fetch_add(1, SeqCst);
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let ended = runner.tick().unwrap();
    assert!(
        ended[0].error.as_deref().unwrap().contains("did not stop when told to"),
        "{ended:?}"
    );
    assert_eq!(
        runner.inner.store.job_runs(Some("compact"), 1).unwrap()[0].outcome,
        Outcome::Failed
    );

    let asking = runner.clone();
    let asked = std::thread::spawn(move || asking.run_now("compact", "2026-01-04".parse().unwrap()).unwrap());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(starts.load(SeqCst), 1, "waits while the stuck run goes on");
    drop(release);
    assert_eq!(asked.join().unwrap()[0].outcome, Outcome::Succeeded);
    assert_eq!(starts.load(SeqCst), 2);
}

#[test]
fn a_tick_a_catch_up_and_two_people_at_once_make_one_run() {
    let (entered, begun) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let (entered, held, runs) = (Mutex::new(entered), Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let world = World::new(CHAIN).with_a_day().job("compact", move |_: &Run| {
        counted.fetch_add(1, SeqCst);
        entered.lock().unwrap().send(()).unwrap();
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let (ticking, asking, also_asking) = (runner.clone(), runner.clone(), runner.clone());
    let tick = std::thread::spawn(move || ticking.tick().unwrap());
    begun.recv().unwrap();
    let asked = std::thread::spawn(move || asking.run_now("compact", day()).unwrap());
    let also_asked = std::thread::spawn(move || also_asking.run_now("compact", day()).unwrap());
    assert!(runner.tick().unwrap().is_empty(), "another tick finds it busy");
    assert_eq!(runner.overview()[0].running.as_deref(), Some(DAY));
    std::thread::sleep(Duration::from_millis(100));
    drop(release);
    let (asked, also_asked) = (asked.join().unwrap(), also_asked.join().unwrap());
    tick.join().unwrap();
    assert_eq!(runs.load(SeqCst), 1);
    assert_eq!(asked, also_asked);
    assert_eq!(asked[0].outcome, Outcome::Succeeded);
}

/// Waits until `is_so`, for ten seconds at most.
fn eventually(is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < until, "it did not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const ASKED: Asked = Asked {
    reason: Reason::Manual,
    mail: false,
};

#[test]
fn a_run_that_is_asked_for_has_its_id_at_once_and_whoever_asks_again_has_the_same() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let world = World::new(CHAIN).with_a_day().job("compact", move |_: &Run| {
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let first = runner.start("report", Some(day()), ASKED).unwrap();
    let again = runner.start("report", None, ASKED).unwrap();
    assert_eq!((again.run_id, again.window), (first.run_id, day()));
    eventually(|| runner.overview()[0].running.is_some());
    // It waits for what it comes after; a third asks for that, which is under way.
    assert!(
        runner
            .awaited(first.run_id)
            .is_some_and(|awaited| awaited.ended.is_none())
    );
    let compact = runner.start("compact", Some(day()), ASKED).unwrap();
    assert_ne!(compact.run_id, first.run_id);
    drop(release);
    eventually(|| {
        runner
            .inner
            .store
            .job_run(first.run_id)
            .unwrap()
            .is_some_and(|run| run.finished_at.is_some())
    });
    assert_eq!(runner.awaited(first.run_id), None);
    assert_eq!(world.log(), [format!("totals {DAY}"), format!("report {DAY}")]);
    assert_eq!(runner.inner.store.job_runs(Some("compact"), 9).unwrap().len(), 1);
}

#[test]
fn a_run_that_is_asked_for_and_cannot_begin_says_why() {
    let world = World::new(CHAIN)
        .with_a_day()
        .job("totals", |_: &Run| bail!("the disk is full"));
    let runner = world.runner();
    let asked = runner.start("report", Some(day()), ASKED).unwrap();
    let ended = || runner.awaited(asked.run_id).and_then(|awaited| awaited.ended);
    eventually(|| ended().is_some());
    assert_eq!(
        ended(),
        Some(NotBegun::Refused(format!(
            "`totals`, which it comes after, failed for {DAY}: the disk is full"
        )))
    );
    assert!(runner.start("reprot", None, ASKED).is_err());
    let today = runner
        .start("report", Some("2026-01-06".parse().unwrap()), ASKED)
        .unwrap_err();
    assert!(format!("{today:#}").contains("is not over yet"), "{today:#}");
}

#[test]
fn a_week_that_is_asked_for_makes_the_days_that_have_something_first() {
    let weekly = format!(
        "{CHAIN}\n[[job]]\nname = \"weekly\"\nkind = \"report\"\nevery = \"week\"\ncron = \"0 6 * * MON\"\nafter = [\"totals\"]\n"
    );
    let world = World::new(&weekly);
    let runner = world.runner();
    runner.run_now("compact", "2026-01-01".parse().unwrap()).unwrap();
    runner.run_now("totals", "2026-01-02".parse().unwrap()).unwrap();
    let week: Window = "2026-W01".parse().unwrap();
    let would = runner
        .would_run("weekly", Window::Day("2026-01-03".parse().unwrap()))
        .unwrap();
    let would: Vec<_> = would
        .iter()
        .map(|(job, window)| format!("{} {window}", job.name))
        .collect();
    assert_eq!(would, ["totals 2026-01-01", "weekly 2026-W01"]);
    let ended = runner.run_now("weekly", week).unwrap();
    assert_eq!(ended.last().map(|run| run.window.as_str()), Some("2026-W01"));
    assert_eq!(
        world.log(),
        [
            "compact 2026-01-01",
            "compact 2026-01-02",
            "totals 2026-01-02",
            "totals 2026-01-01",
            "weekly 2026-W01"
        ]
    );
}

#[test]
fn asking_for_a_day_runs_what_is_missing_upstream_and_nothing_downstream() {
    let world = World::new(CHAIN);
    let runner = world.runner();
    let old: Window = "2022-07-07".parse().unwrap();
    let ended = runner.run_now("report", old).unwrap();
    assert_eq!(
        world.log(),
        ["compact 2022-07-07", "totals 2022-07-07", "report 2022-07-07"]
    );
    assert_eq!(ended.last().unwrap().job, "report");
    let reasons: Vec<_> = runner
        .inner
        .store
        .job_runs(None, 9)
        .unwrap()
        .into_iter()
        .map(|run| (run.job, run.reason))
        .collect();
    assert!(reasons.contains(&("report".to_owned(), "manual".to_owned())));
    assert!(reasons.contains(&("compact".to_owned(), "upstream".to_owned())));
    // Asked again, only what was asked for runs again.
    runner.run_now("report", old).unwrap();
    assert_eq!(world.log().len(), 4);
}

#[test]
fn asking_stops_at_the_first_failure_upstream() {
    let world = World::new(CHAIN).job("totals", |_| anyhow::bail!("no such file"));
    let ended = world.runner().run_now("report", day()).unwrap();
    assert_eq!(
        ended.iter().map(|run| run.job.as_str()).collect::<Vec<_>>(),
        ["compact", "totals"]
    );
    assert_eq!(ended[1].outcome, Outcome::Failed);
}

#[test]
fn asking_for_what_is_not_there_names_the_nearest() {
    let runner = World::new(CHAIN).runner();
    let error = runner.run_now("reprot", day()).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "cron.toml has no job `reprot`; did you mean `report`?"
    );
    let error = runner
        .run_now("report", "2026-W02".parse().unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("`report` makes days: give it one"), "{error}");
}

#[test]
fn a_run_cut_short_by_a_crash_is_abandoned_and_run_again() {
    let world = World::new(CHAIN).with_a_day();
    {
        let store = Store::open(world.folder.path(), Clock::Fixed(world.now)).unwrap();
        store
            .start_run(crate::store::ledger::NewRun {
                run_id: uuid::Uuid::from_u128(1),
                job: "compact",
                window: day(),
                attempt: 1,
                reason: "schedule",
                scheduled_at: world.now,
                started_at: world.now - chrono::TimeDelta::hours(1),
            })
            .unwrap();
    }
    let ended = world.runner().tick().unwrap();
    assert_eq!((ended[0].job.as_str(), ended[0].attempt), ("compact", 2));
    assert_eq!(ended.len(), 5, "and its chain follows");
}

#[test]
fn runs_by_the_instant_that_find_nothing_are_counted_and_not_stored() {
    let schedule = "[[job]]\nname = \"send\"\nkind = \"send\"\ncron = \"*/5 * * * * *\"\ncatch_up = \"last\"\n";
    let world = World::new(schedule).with_a_day().job("send", |_| Ok(JobStatus::idle()));
    let runner = world.runner();
    runner.tick().unwrap();
    assert!(runner.tick().unwrap().is_empty(), "the firing has been answered");
    runner.stop(Duration::from_secs(1)).unwrap();
    assert!(runner.inner.store.job_runs(None, 9).unwrap().is_empty());
    let row = &runner.inner.store.job_rows().unwrap()[0];
    assert!(row.idle_runs >= 1 && row.last_idle_at == Some(world.now));
}

#[test]
fn what_the_ledger_could_not_take_is_not_done_before_it_is_written() {
    let store: Arc<OnceLock<Store>> = Arc::default();
    let (opened, is_broken) = (Arc::clone(&store), Arc::new(AtomicUsize::new(0)));
    let broken = Arc::clone(&is_broken);
    // The column that the end of the run is written into is gone when the job ends.
    let rename = |store: &Store, from: &str, to: &str| {
        let sql = format!("alter table ops.job_run rename column {from} to {to}");
        store.connection().unwrap().execute_batch(&sql).unwrap();
    };
    let world = World::new(CHAIN).with_a_day().job("compact", move |_: &Run| {
        rename(opened.get().unwrap(), "counts", "gone");
        broken.store(1, SeqCst);
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    store.set(runner.inner.store.clone()).ok();
    let ticking = runner.clone();
    let tick = std::thread::spawn(move || ticking.tick().unwrap());
    eventually(|| is_broken.load(SeqCst) == 1);
    std::thread::sleep(Duration::from_millis(500));
    assert!(world.log().is_empty(), "nothing goes on from it");
    assert_eq!(
        runner.overview()[0].last_run.as_ref().unwrap().outcome,
        Outcome::Running,
        "as the ledger says"
    );
    rename(&runner.inner.store, "gone", "counts");
    assert_eq!(tick.join().unwrap().len(), 5);
    let run = &runner.inner.store.job_runs(Some("compact"), 1).unwrap()[0];
    assert_eq!(run.outcome, Outcome::Succeeded);
}

#[test]
fn a_run_by_the_instant_that_is_asked_for_is_found_whatever_it_finds_to_do() {
    let schedule = "[[job]]\nname = \"send\"\nkind = \"send\"\ncron = \"*/5 * * * * *\"\ncatch_up = \"last\"\n";
    let world = World::new(schedule).job("send", |_| Ok(JobStatus::idle()));
    let runner = world.runner();
    let asked = runner.start("send", None, ASKED).unwrap();
    let is_found =
        || runner.awaited(asked.run_id).is_some() || runner.inner.store.job_run(asked.run_id).unwrap().is_some();
    assert!(is_found());
    eventually(|| {
        assert!(is_found());
        let run = runner.inner.store.job_run(asked.run_id).unwrap();
        run.is_some_and(|run| run.outcome == Outcome::Succeeded)
    });
    let to_come = Window::Instant(world.now + chrono::TimeDelta::hours(1));
    assert!(runner.start("send", Some(to_come), ASKED).is_err());
}

#[test]
fn a_run_by_the_instant_that_is_cut_short_is_in_the_ledger() {
    let schedule = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 */6 * * *\"\ncatch_up = \"last\"\n";
    let store: Arc<OnceLock<Store>> = Arc::default();
    let opened = Arc::clone(&store);
    let world = World::new(schedule).with_a_day().job("backup", move |run: &Run| {
        let row = opened.get().unwrap().job_run(run.run_id)?;
        assert_eq!(row.map(|row| row.outcome), Some(Outcome::Running));
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    store.set(runner.inner.store.clone()).ok();
    assert_eq!(runner.tick().unwrap()[0].outcome, Outcome::Succeeded);
}

#[test]
fn an_edit_of_the_schedule_is_heard_by_what_is_due_already() {
    const TWO: &str = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"
        [[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"20 0 * * *\"\n";
    let (first, _) = TWO.split_once("[[job]]\nname = \"backup\"").unwrap();
    for edited in [format!("{TWO}enabled = false\n"), first.to_owned()] {
        let runner: Arc<OnceLock<Runner>> = Arc::default();
        let editing = Arc::clone(&runner);
        let world = World::new(TWO).with_a_day();
        let jobs = world.jobs.clone();
        let world = world.job("compact", move |_: &Run| {
            let schedule = Schedule::parse(&edited, "cron.toml")?;
            editing.get().unwrap().replace(schedule, jobs.clone())?;
            Ok(JobStatus::done())
        });
        let runner = runner.get_or_init(|| world.runner());
        let due: Vec<_> = runner.plan().unwrap().due.into_iter().map(|due| due.job).collect();
        assert_eq!(due, ["compact", "backup"]);
        assert_eq!(runner.tick().unwrap().len(), 1);
        assert!(runner.inner.store.job_runs(Some("backup"), 9).unwrap().is_empty());
    }
}

#[test]
fn missed_firings_by_the_instant_are_made_good_in_order_and_each_once() {
    let schedule = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 */6 * * *\"\n";
    let world = World::new(schedule).with_a_day();
    let runner = world.runner_with(Options {
        concurrency: 4,
        ..Options::default()
    });
    runner.tick().unwrap();
    let expected = ["05T18", "06T00", "06T06", "06T12"].map(|hour| format!("backup 2026-01-{hour}:00:00Z"));
    assert_eq!(world.log(), expected);
    assert!(runner.tick().unwrap().is_empty());
}

#[test]
fn days_of_one_job_are_all_made_whatever_the_concurrency() {
    let world = World::new(CHAIN).with_a_day();
    let runner = world.runner_with(Options {
        concurrency: 3,
        ..Options::default()
    });
    let sql = "insert into daily.ride (ride_id, business_day, bike_serial, started_at, is_partial, duration_seconds,
        reading_count, energy_kilojoules, dropout_seconds, flagged_readings, alert_count)
        select uuid(), '2026-01-01'::date + day::integer, 'SN0', '2026-01-01T10:00:00Z', false, 9, 9, 1, 0, 0, 0
        from range(4) as days (day)";
    runner.inner.store.connection().unwrap().execute_batch(sql).unwrap();
    runner.tick().unwrap();
    let made = |job: &str| world.log().iter().filter(|line| line.starts_with(job)).count();
    assert_eq!(
        (made("compact"), made("totals"), made("cities"), made("report")),
        (5, 5, 5, 5)
    );
    assert_eq!(made("mail"), 1, "only the day since its first sight is mailed");
}

#[test]
fn jobs_by_the_instant_do_not_wait_for_days() {
    let schedule =
        format!("{CHAIN}\n[[job]]\nname = \"send\"\nkind = \"send\"\ncron = \"*/5 * * * * *\"\ncatch_up = \"last\"\n");
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let world = World::new(&schedule).with_a_day().job("compact", move |_: &Run| {
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let days = runner.clone();
    let days = std::thread::spawn(move || days.tick_of(Lane::Day).unwrap());
    let sent = runner.tick_of(Lane::Instant).unwrap();
    assert_eq!(sent.len(), 1);
    drop(release);
    assert_eq!(days.join().unwrap().len(), 5);
}

#[test]
fn what_hangs_holds_up_only_what_comes_after_it() {
    let schedule = format!("[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"10 0 * * *\"\n{CHAIN}");
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let world = World::new(&schedule).with_a_day().job("backup", move |_: &Run| {
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner_with(Options::default());
    let ticking = runner.clone();
    let tick = std::thread::spawn(move || ticking.tick_of(Lane::Day).unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    while world.log().len() < 5 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(runner.overview()[0].running.as_deref(), Some(DAY), "it goes on");
    assert_eq!(world.log().len(), 5, "the whole chain ran beside it");
    drop(release);
    assert_eq!(tick.join().unwrap().len(), 6);
}

#[test]
fn what_people_run_takes_no_place_of_what_is_due() {
    let schedule = format!("[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"10 0 * * *\"\n{CHAIN}");
    let (entered, begun) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let (entered, held) = (Mutex::new(entered), Mutex::new(held));
    let world = World::new(&schedule).with_a_day().job("backup", move |_: &Run| {
        entered.lock().unwrap().send(()).ok();
        held.lock().unwrap().recv().ok();
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let asking = runner.clone();
    let asked = std::thread::spawn(move || asking.run_now("backup", day()).unwrap());
    begun.recv().unwrap();
    assert_eq!(runner.tick_of(Lane::Day).unwrap().len(), 5);
    drop(release);
    asked.join().unwrap();
}

#[test]
fn days_that_wait_for_their_turn_do_not_stop_the_one_before_them() {
    let schedule = CHAIN.replace("[defaults]", "[defaults]\n    overlap = \"cancel\"");
    let world = World::new(&schedule).with_a_day().job("report", |run: &Run| {
        std::thread::sleep(Duration::from_millis(30));
        run.cancel.check()?;
        Ok(JobStatus::done())
    });
    let runner = world.runner_with(Options::default());
    let sql = "insert into daily.ride (ride_id, business_day, bike_serial, started_at, is_partial, duration_seconds,
        reading_count, energy_kilojoules, dropout_seconds, flagged_readings, alert_count)
        select uuid(), '2026-01-01'::date + day::integer, 'SN0', '2026-01-01T10:00:00Z', false, 9, 9, 1, 0, 0, 0
        from range(4) as days (day)";
    runner.inner.store.connection().unwrap().execute_batch(sql).unwrap();
    let ended = runner.tick().unwrap();
    let reports: Vec<_> = ended.iter().filter(|run| run.job == "report").collect();
    assert_eq!(reports.len(), 5);
    assert!(
        reports.iter().all(|run| run.outcome == Outcome::Succeeded),
        "{reports:?}"
    );
}

#[test]
fn tries_that_failed_are_counted_here_as_in_the_ledger() {
    let world = World::new(CHAIN)
        .with_a_day()
        .job("compact", |_| anyhow::bail!("no space"));
    let failures = |runner: &Runner| {
        let view = runner.view().unwrap();
        let last = view.last("compact", day()).unwrap();
        (last.attempt, last.failures)
    };
    let runner = world.runner();
    runner.run_now("compact", day()).unwrap();
    runner.run_now("compact", day()).unwrap();
    assert_eq!(failures(&runner), (2, 2));
    drop(runner);
    assert_eq!(failures(&world.runner()), (2, 2));
}

#[test]
fn the_next_firing_stops_a_run_that_goes_on_where_the_schedule_says_so() {
    let schedule = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"* * * * * *\"\noverlap = \"cancel\"\n\
        catch_up = \"last\"\nretries = 0\n";
    let runs = AtomicUsize::new(0);
    let world = World::new(schedule).job("backup", move |run: &Run| {
        let until = Instant::now() + Duration::from_secs(20);
        while runs.load(SeqCst) == 0 && !run.cancel.is_raised() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        runs.fetch_add(1, SeqCst);
        run.cancel.check()?;
        Ok(JobStatus::done())
    });
    let clock = Clock::System;
    let store = Store::open(world.folder.path(), clock).unwrap();
    let schedule = Schedule::parse(schedule, "cron.toml").unwrap();
    let stream = || Stream::CAUGHT_UP;
    let runner = Runner::new(schedule, store, clock, world.jobs.clone(), stream, Options::default()).unwrap();
    let mut ended = Vec::new();
    while ended.len() < 2 {
        ended.extend(runner.tick_of(Lane::Instant).unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(
        (ended[0].outcome, ended[1].outcome),
        (Outcome::Failed, Outcome::Succeeded)
    );
    let error = ended[0].error.as_deref().unwrap();
    assert!(error.contains("its next firing came"), "{error}");
}

#[test]
fn stopping_waits_then_cancels_and_what_was_cancelled_is_due_again() {
    let (entered, begun) = mpsc::channel();
    let entered = Mutex::new(entered);
    let world = World::new(CHAIN).with_a_day().job("compact", move |run: &Run| {
        entered.lock().unwrap().send(()).ok();
        while !run.cancel.is_raised() {
            std::thread::sleep(Duration::from_millis(5));
        }
        run.cancel.check()?;
        Ok(JobStatus::done())
    });
    let runner = world.runner();
    let ticking = runner.clone();
    let tick = std::thread::spawn(move || ticking.tick().unwrap());
    begun.recv().unwrap();
    assert_eq!(runner.stop(Duration::from_millis(50)).unwrap(), 0);
    assert_eq!(tick.join().unwrap()[0].outcome, Outcome::Abandoned);
    drop(runner);
    let plan = world.runner().plan().unwrap();
    assert_eq!(
        (plan.due[0].job.as_str(), plan.due[0].reason),
        ("compact", Reason::Abandoned)
    );
}

#[test]
fn several_jobs_run_at_once_when_told_so_but_never_one_job_twice() {
    let meet = Arc::new(std::sync::Barrier::new(2));
    let (one, two) = (Arc::clone(&meet), meet);
    let world = World::new(CHAIN)
        .with_a_day()
        .job("totals", move |_| {
            one.wait();
            Ok(JobStatus::done())
        })
        .job("cities", move |_| {
            two.wait();
            Ok(JobStatus::done())
        });
    let runner = world.runner_with(Options {
        concurrency: 2,
        ..Options::default()
    });
    // Each waits for the other: this only ends if they run at the same time.
    assert_eq!(runner.tick().unwrap().len(), 5);
}

#[test]
fn a_job_without_anything_to_run_is_refused_at_start() {
    let mut world = World::new(CHAIN);
    world.jobs.remove("cities");
    let store = Store::open(world.folder.path(), Clock::Fixed(world.now)).unwrap();
    let schedule = Schedule::parse(CHAIN, "cron.toml").unwrap();
    let refused = Runner::new(
        schedule,
        store,
        Clock::Fixed(world.now),
        world.jobs,
        || Stream::CAUGHT_UP,
        Options::default(),
    );
    assert!(refused.err().unwrap().to_string().contains("`cities`"));
}

#[test]
fn the_ticker_wakes_the_runner_and_stops_it() {
    let world = World::new(CHAIN).with_a_day();
    let runner = world.runner();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    tokio.block_on(async {
        let ticker = crate::scheduler::Ticker::start(runner.clone(), || Ok(()))
            .await
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while world.log().len() < 5 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(ticker.stop(Duration::from_secs(1)).await.unwrap(), 0);
    });
    assert_eq!(world.log().len(), 5);
}

#[test]
fn what_went_wrong_is_told_once_and_a_new_process_knows() {
    let world = World::new(&CHAIN.replace("after = [\"report\"]", "after = [\"report\"]\ndeadline = \"07:30\""))
        .with_a_day()
        .job("totals", |_| anyhow::bail!("no space"));
    let runner = world.runner();
    let told = |runner: &Runner| -> Vec<String> {
        let troubles = runner.troubles();
        troubles
            .iter()
            .map(|trouble| format!("{} {}", trouble.job, trouble.is_late()))
            .collect()
    };
    assert_eq!(told(&runner), ["mail true"], "it never began");
    assert_eq!(runner.overdue(), [("mail".to_owned(), 1)]);
    runner.tick().unwrap();
    assert_eq!(told(&runner), ["totals false", "mail true"]);
    let open = runner.open_windows();
    let open: Vec<_> = open
        .iter()
        .map(|open| (open.job.as_str(), open.stands.as_str(), open.is_late))
        .collect();
    let expected = [
        ("mail", "waits for report", true),
        ("report", "waits for totals", false),
        ("totals", "failed once, not tried again by itself", false),
    ];
    assert_eq!(open, expected);
    runner.note_told(&runner.troubles()).unwrap();
    assert!(told(&runner).is_empty());
    drop(runner);
    let runner = world.runner();
    assert!(told(&runner).is_empty());
    assert_eq!(runner.overdue(), [("mail".to_owned(), 1)], "told, but not done");
}
