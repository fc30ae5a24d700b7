//! One daily report: the model from the store, then HTML, PDF, JSON and CSV.
//!
//! Yardstick: the SQL of the day's tables, which has to run before there is anything to report.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/days.rs"]
mod days;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::time::Duration;

use chrono::NaiveDate;
use criterion::{Criterion, SamplingMode};
use deloton::{
    clock::Clock,
    jobs::{sql_files, transform},
    report::{
        html::Neighbours,
        model::{self, ReportRule},
        site::{Site, daily_artifacts},
    },
    store::{Store, daily_table::ChangedTypes},
    template::Templates,
};
use times::Times;
use verdict::verdict;

/// The day and the four weeks it is compared with.
const DAYS: usize = 29;
/// Rides of the day, and of each before it.
const RIDES: u32 = 100_000;
const RIDES_BEFORE: u32 = 1_000;
const SECONDS: u32 = 20;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    let first = NaiveDate::from_ymd_opt(2025, 2, 4).unwrap();
    let last = first.iter_days().nth(DAYS - 1).unwrap();
    for day in first.iter_days().take(DAYS) {
        let rides = if day == last { RIDES } else { RIDES_BEFORE };
        days::fill(&store, day, rides, SECONDS);
        store.seal(day).unwrap();
        store.prune(day).unwrap();
        transform_day(&store, day);
    }
    let templates = Templates::load(None).unwrap();
    let (report, tables) = (Times::default(), Times::default());

    let mut group = criterion.benchmark_group("report");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("deloton", |bencher| {
        report.take(
            bencher,
            || (),
            |()| {
                let model = model::build(&store, &ReportRule::default(), last).unwrap();
                let artifacts = daily_artifacts(&model, Neighbours::default(), Site::new(&templates, None)).unwrap();
                assert!(artifacts.iter().any(|artifact| artifact.path.ends_with("report.pdf")));
            },
        );
    });
    group.bench_function("tables", |bencher| {
        tables.take(bencher, || (), |()| transform_day(&store, last));
    });
    group.finish();
    criterion.final_summary();

    if let Some((report, tables)) = report.median().zip(tables.median()) {
        verdict(
            &format!(
                "report: {:.0} ms for HTML, PDF, JSON and CSV of a day of {RIDES} rides",
                report * 1e3
            ),
            "1 s",
            &[format!(
                "the SQL of the day's tables: {:.0} ms, ratio {:.2}",
                tables * 1e3,
                report / tables
            )],
        );
    }
}

fn transform_day(store: &Store, day: NaiveDate) {
    for table in sql_files::names(None).unwrap() {
        transform::run(store, None, &table, day, ChangedTypes::Refuse).unwrap();
    }
}
