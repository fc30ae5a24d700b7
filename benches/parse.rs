//! From a line's bytes to readings and rides, on one core, nothing stored.
//!
//! Yardstick: DuckDB's own reader and regular expressions on the same lines, one thread.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/lines.rs"]
mod lines;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::{fs, time::Duration};

use chrono::{DateTime, Utc};
use criterion::{Criterion, SamplingMode, Throughput};
use deloton::{
    clock::Clock,
    domain::batch::StoredPosition,
    ingest::{pipeline::Pipeline, sessionize::Rules, source::RawMessage},
    store::Store,
};
use times::Times;
use verdict::verdict;

const LINES: usize = 1_000_000;

/// As many readings as one flush takes.
const FLUSH_READINGS: usize = 122_880;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut lines = Vec::new();
    lines::write(LINES, &mut lines).unwrap();
    let now = Clock::System.now();
    let (ours, theirs) = (Times::default(), Times::default());

    let mut group = criterion.benchmark_group("parse");
    group
        .throughput(Throughput::Elements(LINES as u64))
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("deloton", |bencher| {
        ours.take(
            bencher,
            || (),
            |()| assert!(parse(&lines, now) > LINES / 2 - LINES / 50),
        );
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::System).unwrap();
    let connection = store.connection().unwrap();
    let file = folder.path().join("lines.jsonl");
    fs::write(&file, &lines).unwrap();
    let extract = include_str!("support/extract.sql").replace("lines.jsonl", file.to_str().unwrap());
    connection.execute_batch("set threads = 1").unwrap();
    group.bench_function("duckdb", |bencher| {
        theirs.take(bencher, || (), |()| connection.execute_batch(&extract).unwrap());
    });
    group.finish();
    criterion.final_summary();

    if let Some((ours, theirs)) = ours.median().zip(theirs.median()) {
        let rate = |seconds: f64| LINES as f64 / seconds / 1e6;
        verdict(
            &format!("parse: {:.2} M lines/s on one core", rate(ours)),
            "3 M",
            &[format!(
                "DuckDB's regexp_extract, one thread: {:.2} M lines/s, ratio {:.1}",
                rate(theirs),
                theirs / ours
            )],
        );
    }
}

/// Parses every line; answers the readings made.
fn parse(lines: &[u8], now: DateTime<Utc>) -> usize {
    let mut pipeline = Pipeline::new(Rules::default(), chrono_tz::UTC);
    pipeline.assign(&StoredPosition::beginning(0)).unwrap();
    let mut readings = 0;
    let mut start = 0;
    for (offset, end) in (0..).zip(memchr::memchr_iter(b'\n', lines)) {
        let payload = &lines[start..end];
        start = end + 1;
        let message = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: None,
            key: None,
            payload,
        };
        pipeline.message(message, now);
        if pipeline.pending_readings() >= FLUSH_READINGS {
            readings += pipeline.take_batch(|_| true).unwrap().readings.len();
        }
    }
    readings + pipeline.take_batch(|_| true).unwrap().readings.len()
}
