//! Sealing a day of ten million readings, and opening a store that holds 400 days. Each takes seconds, so it is
//! measured once and without criterion.
//!
//! Yardstick: the same readings copied to one Parquet file as they lie, neither sorted nor checked nor recorded.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/days.rs"]
mod days;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/verdict.rs"]
mod verdict;

use std::{path::Path, time::Instant};

use chrono::NaiveDate;
use deloton::{clock::Clock, store::Store};
use verdict::verdict;

/// The big day.
const RIDES: u32 = 5_000;
const SECONDS: u32 = 2_000;

/// The many small ones.
const DAYS: usize = 400;

fn main() {
    let day = NaiveDate::from_ymd_opt(2025, 3, 4).unwrap();
    if let Some([folder]) = memory::arguments() {
        let store = Store::open(Path::new(&folder), Clock::System).unwrap();
        let sealed = store.seal(day).unwrap();
        assert_eq!((sealed.rides, sealed.readings), (5_000, 10_000_000));
        return memory::report_peak();
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    days::fill(&store, day, RIDES, SECONDS);
    let copy = folder.path().join("copy.parquet");
    let started = Instant::now();
    store
        .connection()
        .unwrap()
        .execute_batch(&format!(
            "copy daily.reading to '{}' (format parquet, compression zstd)",
            copy.display()
        ))
        .unwrap();
    let copied = started.elapsed().as_secs_f64();
    drop(store);
    let started = Instant::now();
    let peak = memory::peak_of_child(&[folder.path()]);
    let sealed = started.elapsed().as_secs_f64();
    verdict(
        &format!("compact: {sealed:.1} s for a day of 10 M readings, {peak} of memory at most"),
        "20 s",
        &[format!(
            "a plain COPY, unsorted and unchecked: {copied:.1} s, ratio {:.1}",
            sealed / copied
        )],
    );

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    // Hundreds of small statements: threads that wait for each other would take most of the time.
    store.connection().unwrap().execute_batch("set threads = 1").unwrap();
    let started = Instant::now();
    for day in day.iter_days().take(DAYS) {
        days::fill(&store, day, 20, 60);
        store.seal(day).unwrap();
    }
    let filled = started.elapsed().as_secs_f64();
    drop(store);
    let started = Instant::now();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    let rows: i64 = store
        .connection()
        .unwrap()
        .query_row(
            "select count(*) from reading where business_day = '2025-03-04'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 1_200);
    verdict(
        &format!(
            "open: {:.2} s for a store of {DAYS} sealed days, with a first question of one day",
            started.elapsed().as_secs_f64()
        ),
        "1 s",
        &[format!("filling and sealing them: {filled:.0} s")],
    );
}
