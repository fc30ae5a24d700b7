//! The plan of 1,000 jobs with a year of ledger, of 400 days of downtime, and a tick with nothing due.
//!
//! Yardstick: reading the same year out of the ledger, which a start does before it plans for the first time.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::{collections::BTreeMap, fmt::Write as _, hint::black_box, sync::Arc};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use criterion::Criterion;
use deloton::{
    clock::Clock,
    config::schedule::Schedule,
    domain::{
        run::{JobStatus, Outcome},
        window::Window,
    },
    scheduler::{
        Job, Options, Run, Runner,
        plan::{Done, History, Last, LedgerView, Stream, plan},
        runner::Lane,
    },
    store::Store,
};
use times::Times;
use verdict::verdict;

const JOBS: usize = 1_000;
const YEAR: u64 = 365;
const DOWN: u64 = 400;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
    let (year, down, idle, yardstick) = (Times::default(), Times::default(), Times::default(), Times::default());

    let many = schedule(JOBS);
    let view = made(&many, now, YEAR);
    assert!(plan(&many, &view, Stream::CAUGHT_UP, now).due.is_empty(), "all is made");
    let shipped = Schedule::compiled_in().unwrap();
    let away = never_made(&shipped, now);
    assert!(plan(&shipped, &away, Stream::CAUGHT_UP, now).due.len() >= 400);

    let ledger = tempfile::tempdir().unwrap();
    let store = filled_ledger(&ledger, &many, now);
    let runner = idle_runner(&many, store.clone(), now);
    assert!(runner.plan().unwrap().due.is_empty(), "all is made");

    let mut group = criterion.benchmark_group("plan");
    group.sample_size(20);
    group.bench_function("1,000 jobs and a year of ledger", |bencher| {
        year.take(
            bencher,
            || (),
            |()| drop(black_box(plan(&many, &view, Stream::CAUGHT_UP, now))),
        );
    });
    group.bench_function("400 days of downtime", |bencher| {
        down.take(
            bencher,
            || (),
            |()| drop(black_box(plan(&shipped, &away, Stream::CAUGHT_UP, now))),
        );
    });
    group.bench_function("a tick with nothing due", |bencher| {
        // As the ticker has it: both lanes, one after the other.
        let tick = || [Lane::Day, Lane::Instant].map(|lane| runner.tick_lane(lane).unwrap());
        idle.take(
            bencher,
            || (),
            |()| {
                black_box(tick());
            },
        );
    });
    group.bench_function("the ledger read", |bencher| {
        yardstick.take(bencher, || (), |()| drop(black_box(store.last_runs().unwrap())));
    });
    group.finish();
    let millis = |times: &Times| times.median().map_or(f64::NAN, |seconds| seconds * 1_000.0);
    verdict(
        &format!(
            "plan: {:.1} ms for 1,000 jobs and a year; {:.1} ms after 400 days off; {:.3} ms a tick with nothing due",
            millis(&year),
            millis(&down),
            millis(&idle)
        ),
        "< 50 ms, < 100 ms, < 1 ms",
        &[format!(
            "the ledger of that year is read in {:.1} ms",
            millis(&yardstick)
        )],
    );
}

/// A seal of days and what follows from it, in chains of four.
fn schedule(jobs: usize) -> Schedule {
    let mut text = String::from("[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\n");
    for job in 1..jobs {
        let after = if job % 4 == 1 {
            "compact".to_owned()
        } else {
            format!("table{}", job - 1)
        };
        write!(
            text,
            "[[job]]\nname = \"table{job}\"\nkind = \"transform\"\nafter = [\"{after}\"]\n"
        )
        .unwrap();
    }
    Schedule::parse(&text, "cron.toml").unwrap()
}

fn days(now: DateTime<Utc>, count: u64) -> impl Iterator<Item = NaiveDate> {
    let today = now.date_naive();
    (1..=count).rev().map(move |ago| today - Days::new(ago))
}

/// Every job has made every day of the last `count`, each a second after what it comes after.
fn made(schedule: &Schedule, now: DateTime<Utc>, count: u64) -> LedgerView {
    let mut view = LedgerView::new(Vec::new(), Vec::new(), now);
    for (place, job) in (0..).zip(&schedule.jobs) {
        let mut history = History::new(now - TimeDelta::days(400), None);
        for day in days(now, count) {
            let started_at = (day + Days::new(1)).and_hms_opt(0, 20, 0).unwrap().and_utc() + TimeDelta::seconds(place);
            let finished_at = started_at + TimeDelta::milliseconds(500);
            let last = Last {
                attempt: 1,
                failures: 0,
                outcome: Outcome::Succeeded,
                scheduled_at: started_at,
                started_at,
                finished_at: Some(finished_at),
                is_firing: true,
                done: Some(Done {
                    started_at,
                    finished_at,
                }),
            };
            history.windows.insert(Window::Day(day), last);
        }
        view.jobs.insert(job.name.clone(), history);
    }
    view.days_with_rows = days(now, 2).collect();
    view
}

/// Nothing was made of 400 days with rides.
fn never_made(schedule: &Schedule, now: DateTime<Utc>) -> LedgerView {
    let mut view = LedgerView::new(Vec::new(), Vec::new(), now);
    for job in &schedule.jobs {
        let first_seen_at = now - TimeDelta::days(i64::try_from(DOWN).unwrap() + 1);
        view.jobs.insert(job.name.clone(), History::new(first_seen_at, None));
    }
    view.days_with_rows = days(now, DOWN).collect();
    view
}

/// A runner whose jobs have nothing to do.
fn idle_runner(schedule: &Schedule, store: Store, now: DateTime<Utc>) -> Runner {
    let idle = |_: &Run| Ok(JobStatus::idle());
    let jobs: BTreeMap<_, _> = schedule
        .jobs
        .iter()
        .map(|job| (job.name.clone(), Arc::new(idle) as Arc<dyn Job>))
        .collect();
    let stream = || Stream::CAUGHT_UP;
    Runner::new(
        schedule.clone(),
        store,
        Clock::Fixed(now),
        jobs,
        stream,
        Options::default(),
    )
    .unwrap()
}

/// A year of runs in a store, as a start finds it.
fn filled_ledger(folder: &tempfile::TempDir, schedule: &Schedule, now: DateTime<Utc>) -> Store {
    let store = Store::open(folder.path(), Clock::Fixed(now)).unwrap();
    let names = schedule
        .jobs
        .iter()
        .map(|job| format!("'{}'", job.name))
        .collect::<Vec<_>>();
    let sql = format!(
        "insert into ops.job_run
         select uuid(), job, (day::date)::varchar, 1, 'schedule', begun, begun, begun + interval 500 millisecond, 'succeeded', '{{}}',
            null
         from (
            select names.job, day, (day::date + interval 1 day + interval 20 minute + to_seconds(place - 1))::timestamptz as begun
            from (select unnest([{0}]) as job, generate_subscripts([{0}], 1) as place) names, range(timestamptz '{1}', timestamptz '{2}', interval 1 day) d (day)
         )",
        names.join(", "),
        (now - TimeDelta::days(365)).to_rfc3339(),
        now.to_rfc3339()
    );
    store.connection().unwrap().execute_batch(&sql).unwrap();
    store
}
