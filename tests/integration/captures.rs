//! Real captured lines, where this checkout has them beside it.

use std::path::PathBuf;

use deloton::{
    clock::Clock,
    ingest::{file::ingest_file, sessionize::Rules},
    store::Store,
};

/// A capture's path; none, said aloud, where the checkout stands alone.
fn capture(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: `{name}` is not beside this checkout");
    None
}

struct Taken {
    _folder: tempfile::TempDir,
    store: Store,
    summary: deloton::ingest::file::FileSummary,
}

fn take(name: &str) -> Option<Taken> {
    let path = capture(name)?;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed("2026-01-01T00:00:00Z".parse().unwrap())).unwrap();
    let summary = ingest_file(&store, Rules::default(), chrono_tz::UTC, &path, |_, _| {}).unwrap();
    Some(Taken {
        _folder: folder,
        store,
        summary,
    })
}

fn rows(store: &Store, sql: &str) -> Vec<String> {
    let connection = store.connection().unwrap();
    let mut statement = connection
        .prepare(&format!("select cast(row_to_json(t) as varchar) from ({sql}) t"))
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn the_ride_of_rider_100_has_its_known_figures() {
    let Some(taken) = take("deloton_kafka_2022-07-06_user100.jsonl") else {
        return;
    };
    assert_eq!(taken.summary.counts.messages, 1000);
    assert_eq!(taken.summary.counts.rejected_lines, 0);
    assert_eq!(taken.summary.counts.readings, 498);
    assert_eq!(taken.summary.days, [("2022-07-07".parse().unwrap(), 1, 498)]);
    let figures =
        "select business_day, bike_serial, rider_id, forename, surname, started_at, ended_at, end_reason, is_partial,
        duration_seconds as seconds, reading_count as readings, round(energy_kilojoules, 3) as kilojoules,
        round(power_watts_mean, 2) as watts_mean, round(power_watts_max, 2) as watts_max,
        round(heart_rate_bpm_mean, 2) as bpm_mean, heart_rate_bpm_min as bpm_min, heart_rate_bpm_max as bpm_max,
        dropout_seconds, round(cadence_rpm_mean, 2) as rpm_mean, flagged_readings, alert_count
        from ride inner join rider using (rider_id)";
    insta::assert_snapshot!(rows(&taken.store, figures).join("\n").replace(',', "\n"), @r#"
    {"business_day":"2022-07-07"
    "bike_serial":"SN0000"
    "rider_id":100
    "forename":"Steven"
    "surname":"Pearce"
    "started_at":"2022-07-06 23:29:35.435798+00"
    "ended_at":"2022-07-06 23:37:53.444906+00"
    "end_reason":"idle"
    "is_partial":false
    "seconds":498
    "readings":498
    "kilojoules":29.088
    "watts_mean":58.41
    "watts_max":792.06
    "bpm_mean":109.17
    "bpm_min":55
    "bpm_max":155
    "dropout_seconds":10
    "rpm_mean":50.64
    "flagged_readings":0
    "alert_count":0}
    "#);
    let sealed = taken.store.seal("2022-07-07".parse().unwrap()).unwrap();
    assert_eq!((sealed.rides, sealed.readings, sealed.seal_count), (1, 498, 1));
    let again = taken.store.seal("2022-07-07".parse().unwrap()).unwrap();
    assert!(!again.has_changed);
}

#[test]
fn disjoint_stretches_lose_no_reading() {
    let Some(taken) = take("deloton_kafka_fragments_2022-10.jsonl") else {
        return;
    };
    let counts = taken.summary.counts;
    assert_eq!((counts.messages, counts.rejected_lines), (337, 0));
    assert_eq!(counts.readings, 168);
    let halves = "select count(*) filter (where resistance is null or power_watts is null) as halves, count(*) filter (where resistance is not null and power_watts is not null) as pairs from reading";
    assert_eq!(rows(&taken.store, halves), [r#"{"halves":8,"pairs":160}"#]);
}

#[test]
fn a_ride_told_twice_counts_once() {
    let Some(taken) = take("deloton_kafka_testlines_lcawood.jsonl") else {
        return;
    };
    let counts = taken.summary.counts;
    assert_eq!((counts.messages, counts.rejected_lines), (40, 0));
    assert_eq!((counts.readings, counts.duplicate_readings), (10, 4));
}
