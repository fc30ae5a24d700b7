//! From a file of lines to committed rows, on two cores, and the memory it takes.
//!
//! Yardsticks on the same lines: DuckDB's own reader and regular expressions, two threads, no rides made; and the way
//! of older scripts, one INSERT and commit per reading.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/lines.rs"]
mod lines;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

use criterion::{Criterion, SamplingMode, Throughput};
use deloton::{
    clock::Clock,
    ingest::{file::ingest_file, sessionize::Rules},
    store::Store,
};
use tempfile::TempDir;
use times::Times;
use verdict::verdict;

/// Lines of the file that speed is measured with.
const LINES: usize = 1_000_000;

/// Lines of the files that memory is measured with: the second has more readings than may be held in memory.
const MEMORY_LINES: [usize; 2] = [LINES, 12 * LINES];

/// Readings inserted one by one.
const SINGLE_READINGS: usize = 2_000;

fn main() {
    if let Some([file, folder]) = memory::arguments() {
        ingest(
            Path::new(&file),
            &Store::open(Path::new(&folder), Clock::System).unwrap(),
        );
        return memory::report_peak();
    }
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.jsonl");
    write_lines(LINES, &file);
    let (ours, theirs) = (Times::default(), Times::default());

    let mut group = criterion.benchmark_group("ingest");
    group
        .throughput(Throughput::Elements(LINES as u64))
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("deloton", |bencher| {
        ours.take(bencher, open, |(_, store)| ingest(&file, store));
    });
    let extract = include_str!("support/extract.sql").replace("lines.jsonl", file.to_str().unwrap());
    group.bench_function("duckdb", |bencher| {
        theirs.take(bencher, open, |(_, store)| {
            store.connection().unwrap().execute_batch(&extract).unwrap();
        });
    });
    group.finish();
    criterion.final_summary();
    let Some((ours, theirs)) = ours.median().zip(theirs.median()) else {
        return;
    };

    let single = single_readings_per_second();
    let rate = LINES as f64 / ours;
    verdict(
        &format!("ingest: {:.0} k lines/s, file to committed rows", rate / 1e3),
        "800 k",
        &[
            format!(
                "DuckDB's read_ndjson_objects and regexp_extract: {:.0} k lines/s, ratio {:.2}",
                LINES as f64 / theirs / 1e3,
                theirs / ours
            ),
            format!(
                "one INSERT and commit per reading: {:.1} k lines/s, ratio {:.0}",
                2.0 * single / 1e3,
                rate / (2.0 * single)
            ),
        ],
    );
    let peaks = MEMORY_LINES.map(|count| {
        write_lines(count, &file);
        let data = tempfile::tempdir().unwrap();
        let peak = memory::peak_of_child(&[file.as_path(), data.path()]);
        format!("{peak} for {} MB", file.metadata().unwrap().len() / 1_000_000)
    });
    verdict(
        &format!("ingest, peak memory: {}", peaks[1]),
        "400 MB",
        &[format!("the smaller file: {}", peaks[0])],
    );
}

/// An empty store that uses two cores, whatever the machine has.
fn open() -> (TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), Clock::System).unwrap();
    store.connection().unwrap().execute_batch("set threads = 2").unwrap();
    (data, store)
}

fn write_lines(count: usize, file: &Path) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    lines::write(count, &mut out).unwrap();
    out.flush().unwrap();
}

fn ingest(file: &Path, store: &Store) {
    let summary = ingest_file(store, Rules::default(), chrono_tz::UTC, file, |_, _| {}).unwrap();
    assert_eq!((summary.counts.rejected_lines, summary.partial_rides), (0, 0));
}

/// The older scripts' way.
fn single_readings_per_second() -> f64 {
    let (_data, store) = open();
    let connection = store.connection().unwrap();
    let mut insert = connection
        .prepare(
            "insert into daily.reading values
            ('0181d5d8-f8cb-7000-8000-000000000000', ?, '2022-07-06 23:29:36Z', 30, 117, false, 40, 9.737739856000001, false)",
        )
        .unwrap();
    let started = Instant::now();
    for second in 0..SINGLE_READINGS {
        insert.execute([second as i32]).unwrap();
    }
    SINGLE_READINGS as f64 / started.elapsed().as_secs_f64()
}
