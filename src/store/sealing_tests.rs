//! Sealing, sealing again, pruning, and what a crash, a damaged file or a reopened ride does to them.

use std::{fs, path::PathBuf};

use chrono::{NaiveDate, TimeDelta};

use super::{
    Store, StoreError,
    fixture::{Told, number, open, ride, rows, seen},
    lake,
};
use crate::domain::ride::EndReason;

const IDLE: Option<EndReason> = Some(EndReason::Idle);
const NO_PAUSE: TimeDelta = TimeDelta::zero();

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn monday() -> NaiveDate {
    day("2026-01-05")
}

fn tuesday() -> NaiveDate {
    day("2026-01-06")
}

fn file(store: &Store, table: &str, day: NaiveDate) -> PathBuf {
    store.data_dir().join(lake::LakeFile::path(table, day))
}

/// A day and its readings' and rides' count, as people see them.
fn days(store: &Store) -> Vec<String> {
    rows(
        store,
        "select business_day as day, count(*) as rides, sum(reading_count)::integer as counted,
            (select count(*) from reading where reading.business_day is not distinct from ride.business_day) as readings
        from ride group by business_day order by business_day",
    )
}

/// What is kept of riders is what their rides in history add up to.
fn totals_hold(store: &Store) {
    let figures = "rides::integer as rides, duration_seconds::integer as seconds, longest_ride_seconds as longest,
        round(energy_kilojoules, 6) as energy, round(power_watts_sum, 6) as power, rides_with_heart_rate::integer as measured,
        heart_rate_bpm_max as highest, epoch_us(first_ride_at) as first, epoch_us(last_ride_at) as last";
    let kept = format!("select rider_id, {figures} from historical.rider_total order by rider_id");
    let added_up = format!(
        "select rider_id, {figures} from (
            select rider_id, count(*) as rides, sum(duration_seconds) as duration_seconds,
                max(duration_seconds) as longest_ride_seconds, sum(energy_kilojoules) as energy_kilojoules,
                sum(power_watts_mean) as power_watts_sum, count(heart_rate_bpm_mean) as rides_with_heart_rate,
                max(heart_rate_bpm_max) as heart_rate_bpm_max, min(started_at) as first_ride_at,
                max(started_at) as last_ride_at
            from historical.ride group by rider_id
        ) order by rider_id"
    );
    assert_eq!(rows(store, &kept), rows(store, &added_up));
}

#[test]
fn people_see_the_same_before_and_after_sealing_and_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    ride(&store, "2026-01-05T23:59:50Z", 5);
    ride(&store, "2026-01-06T08:00:00Z", 20);
    Told::new("2026-01-06T09:00:00Z").flush(&store, 4, NO_PAUSE, None);
    let before = seen(&store);
    assert_eq!((before[0].len(), before[1].len(), before[2].len()), (4, 59, 1));

    let sealed = store.seal(monday()).unwrap();
    assert_eq!((sealed.rides, sealed.readings, sealed.seal_count), (2, 35, 1));
    assert_eq!(seen(&store), before);
    let pruned = store.prune(monday()).unwrap();
    assert_eq!((pruned.days, pruned.rides, pruned.readings), (1, 2, 35));
    assert_eq!(seen(&store), before);
    assert_eq!(number(&store, "select count(*) from daily.reading"), 24);
    assert_eq!(
        store.prune(tuesday()).unwrap().days,
        0,
        "a day that is not sealed is not pruned"
    );
    drop(store);
    assert_eq!(seen(&open(&folder)), before);
}

#[test]
fn sealing_again_changes_nothing_even_when_the_buffer_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    let hashes = || ["ride", "reading"].map(|table| lake::hash_file(&file(&store, table, monday())).unwrap());
    let first = hashes();
    for prune in [false, true] {
        if prune {
            store.prune(monday()).unwrap();
        }
        let again = store.seal(monday()).unwrap();
        assert!(!again.has_changed);
        assert_eq!((again.rides, again.readings, again.seal_count), (1, 30, 1));
        assert_eq!(hashes(), first);
    }
    assert_eq!(
        fs::read_dir(file(&store, "ride", monday()).parent().unwrap())
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn a_late_ride_restates_its_day_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    store.prune(monday()).unwrap();
    assert!(store.late_days().unwrap().is_empty());
    totals_hold(&store);
    ride(&store, "2026-01-05T10:00:00Z", 12);
    assert_eq!(store.late_days().unwrap().into_iter().collect::<Vec<_>>(), [monday()]);
    assert_eq!(
        store.prune(monday()).unwrap().rides,
        0,
        "history does not hold the late ride"
    );
    let sealed = store.seal(monday()).unwrap();
    assert_eq!((sealed.rides, sealed.readings, sealed.seal_count), (2, 42, 2));
    assert!(store.late_days().unwrap().is_empty());
    assert_eq!(
        days(&store),
        [r#"{"day":"2026-01-05","rides":2,"counted":42,"readings":42}"#]
    );
    assert_eq!(number(&store, "select count(*) from historical.alert"), 2);
    totals_hold(&store);
    ride(&store, "2026-01-06T10:00:00Z", 12);
    store.seal(tuesday()).unwrap();
    totals_hold(&store);
    store.prune(monday()).unwrap();
    assert_eq!(
        days(&store)[..1],
        [r#"{"day":"2026-01-05","rides":2,"counted":42,"readings":42}"#]
    );
}

#[test]
fn a_rider_who_is_new_on_an_earlier_day_after_all_is_told_of_there_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-06T09:00:00Z", 30);
    store.seal(tuesday()).unwrap();
    ride(&store, "2026-01-07T09:00:00Z", 30);
    store.seal(tuesday().succ_opt().unwrap()).unwrap();
    assert!(store.late_days().unwrap().is_empty());
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    assert_eq!(store.late_days().unwrap().into_iter().collect::<Vec<_>>(), [tuesday()]);
    store.seal(tuesday()).unwrap();
    ride(&store, "2026-01-05T11:00:00Z", 30);
    store.seal(monday()).unwrap();
    assert!(
        store.late_days().unwrap().is_empty(),
        "the rider was known on Monday already"
    );
}

#[test]
fn a_day_whose_rides_another_version_wrote_is_not_restated_by_being_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    // As it was before rides had minima: the file of the rides is another one, and none of them is known.
    let earlier = "update ops.lake_file set content_hash = 'another' where table_name = 'ride';
        update historical.ride set power_watts_min = null, cadence_rpm_min = null, resistance_min = null";
    let sealed_again = || {
        store.connection().unwrap().execute_batch(earlier).unwrap();
        store.seal(monday()).unwrap()
    };
    let sealed = sealed_again();
    assert_eq!((sealed.has_changed, sealed.seal_count), (false, 1));
    let minima = "select count(*) from historical.ride where power_watts_min is not null";
    assert_eq!(number(&store, minima), 1, "they are filled in all the same");
    let moved = "update historical.ride set rider_id = 1";
    store.connection().unwrap().execute_batch(moved).unwrap();
    let sealed = sealed_again();
    assert_eq!((sealed.has_changed, sealed.seal_count), (true, 2));
}

#[test]
fn a_file_aside_that_its_transaction_named_is_completed_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    let before = seen(&store);
    // The process ends between the commit and the renaming.
    for table in ["ride", "reading"] {
        let named = file(&store, table, monday());
        fs::rename(&named, lake::aside(store.data_dir(), table, monday())).unwrap();
    }
    drop(store);
    let store = open(&folder);
    assert_eq!(seen(&store), before);
    assert!(file(&store, "reading", monday()).exists());
}

#[test]
fn a_file_aside_that_no_transaction_named_is_removed_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    let before = seen(&store);
    // The process ends before the commit: once for a day sealed before, once for a new one.
    let asides = [monday(), tuesday()].map(|day| lake::aside(store.data_dir(), "reading", day));
    for aside in &asides {
        fs::create_dir_all(aside.parent().unwrap()).unwrap();
        fs::write(aside, "half a file").unwrap();
    }
    drop(store);
    let store = open(&folder);
    assert_eq!(seen(&store), before);
    assert!(asides.iter().all(|aside| !aside.exists()));
}

#[test]
fn nothing_is_pruned_when_the_lakes_file_is_not_the_one_that_was_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store.seal(monday()).unwrap();
    let path = file(&store, "reading", monday());
    let sealed = fs::read(&path).unwrap();
    let refused = || {
        let error = store.prune(monday()).unwrap_err().to_string();
        assert!(error.contains("lake/reading/date=2026-01-05/part-0.parquet"), "{error}");
        assert!(error.contains("nothing of 2026-01-05 is pruned"), "{error}");
        assert_eq!(number(&store, "select count(*) from daily.reading"), 30);
    };
    let mut damaged = sealed.clone();
    damaged[sealed.len() / 2] ^= 1;
    fs::write(&path, damaged).unwrap();
    refused();
    // Another file with as many rows.
    let other = "copy (select * from daily.reading order by second desc) to '{}' (format parquet)";
    let other = other.replace("{}", path.to_str().unwrap());
    store.connection().unwrap().execute_batch(&other).unwrap();
    refused();
    fs::write(&path, sealed).unwrap();
    assert_eq!(store.prune(monday()).unwrap().readings, 30);
}

#[test]
fn a_sealing_that_fails_leaves_the_day_as_it_was_and_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-05T09:00:00Z", 30);
    store
        .connection()
        .unwrap()
        .execute_batch("delete from daily.reading where second = 7")
        .unwrap();
    let error = store.seal(monday()).unwrap_err();
    assert!(matches!(error, StoreError::Inconsistent(_)), "{error}");
    assert!(error.to_string().contains("30 readings, but 29"), "{error}");
    assert_eq!(number(&store, "select count(*) from historical.ride"), 0);
    assert!(!lake::aside(store.data_dir(), "reading", monday()).exists());
}

#[test]
fn a_change_of_weight_is_a_new_version_of_the_rider_and_the_same_header_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (start, weight) in [("09", 70), ("10", 70), ("11", 72)] {
        let mut told = Told::new(&format!("2026-01-05T{start}:00:00Z")).weighing(weight);
        told.flush(&store, 3, NO_PAUSE, IDLE);
    }
    store.seal(monday()).unwrap();
    let versions = || {
        rows(
            &store,
            "select strftime(valid_from, '%d %H') as since, strftime(valid_to, '%d %H') as until, weight_kg as kg
            from historical.rider order by valid_from",
        )
    };
    let expected = [
        r#"{"since":"05 09","until":"05 11","kg":70}"#,
        r#"{"since":"05 11","until":null,"kg":72}"#,
    ];
    assert_eq!(versions(), expected);
    store.prune(monday()).unwrap();
    assert_eq!(number(&store, "select count(*) from daily.rider"), 0);
    // The next day's header says the same again.
    Told::new("2026-01-06T09:00:00Z")
        .weighing(72)
        .flush(&store, 3, NO_PAUSE, IDLE);
    store.seal(tuesday()).unwrap();
    store.prune(tuesday()).unwrap();
    assert_eq!(versions(), expected);
    assert_eq!(rows(&store, "select weight_kg from rider"), [r#"{"weight_kg":72}"#]);
}

#[test]
fn open_rides_are_neither_sealed_nor_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut told = Told::new("2026-01-05T23:00:00Z");
    told.flush(&store, 10, NO_PAUSE, None);
    let sealed = store.seal(monday()).unwrap();
    assert_eq!((sealed.rides, sealed.readings), (0, 0));
    store.prune(day("2026-12-31")).unwrap();
    assert_eq!(days(&store), [r#"{"day":null,"rides":1,"counted":10,"readings":10}"#]);
}

/// A ride that fell silent before midnight, was sealed, and went on: told as far as its end on Tuesday.
fn went_on(store: &Store, is_pruned: bool) -> Told {
    let mut told = Told::new("2026-01-05T23:59:00Z");
    told.flush(store, 10, NO_PAUSE, IDLE);
    ride(store, "2026-01-05T12:00:00Z", 3);
    store.seal(monday()).unwrap();
    if is_pruned {
        store.prune(monday()).unwrap();
    }
    let sealed = r#"{"day":"2026-01-05","rides":2,"counted":13,"readings":13}"#;
    assert_eq!(days(store), [sealed]);
    told.flush(store, 5, TimeDelta::minutes(2), None);
    assert_eq!(
        number(store, "select count(*) from ride"),
        2,
        "the reopened ride is there once"
    );
    assert!(store.late_days().unwrap().is_empty(), "its new day is not known yet");
    told.flush(store, 1, NO_PAUSE, IDLE);
    assert_eq!(store.late_days().unwrap().into_iter().collect::<Vec<_>>(), [monday()]);
    assert_eq!(
        number(store, "select count(*) from ride"),
        2,
        "the ride that moved is there once"
    );
    told
}

#[test]
fn a_ride_that_went_on_after_its_day_was_sealed_moves_to_the_day_it_ends_in() {
    let moved = [
        r#"{"day":"2026-01-05","rides":1,"counted":3,"readings":3}"#,
        r#"{"day":"2026-01-06","rides":1,"counted":16,"readings":16}"#,
    ];
    for (is_pruned, order) in [
        (false, vec![tuesday()]),
        (true, vec![tuesday()]),
        (false, vec![monday(), tuesday()]),
        (true, vec![monday(), tuesday()]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let told = went_on(&store, is_pruned);
        for &day in &order {
            store.seal(day).unwrap();
        }
        assert_eq!(days(&store), moved, "pruned {is_pruned}, sealed {order:?}");
        // What comes after the day that lost the ride is to be made again, whoever sealed it.
        let due: Vec<_> = store.late_days().unwrap().into_iter().collect();
        assert_eq!(due, if order.len() == 1 { vec![monday()] } else { Vec::new() });
        store.seal(monday()).unwrap();
        assert!(store.late_days().unwrap().is_empty());
        store.prune(tuesday()).unwrap();
        assert_eq!(
            days(&store),
            moved,
            "pruned {is_pruned}, sealed {order:?}, pruned after"
        );
        assert_eq!(number(&store, "select count(*) from daily.reading"), 0);
        let in_lake = format!("select count(*) from ops.lake_reading where ride_id = '{}'", told.id());
        assert_eq!(number(&store, &in_lake), 16);
        assert_eq!(number(&store, "select count(*) from historical.alert"), 2);
        totals_hold(&store);
        for day in [monday(), tuesday()] {
            assert!(!store.seal(day).unwrap().has_changed);
        }
    }
}

#[test]
fn a_ride_that_is_open_again_when_its_day_is_sealed_anew_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut told = Told::new("2026-01-05T23:59:00Z");
    told.flush(&store, 10, NO_PAUSE, IDLE);
    store.seal(monday()).unwrap();
    store.prune(monday()).unwrap();
    told.flush(&store, 5, TimeDelta::minutes(2), None);
    assert_eq!(store.seal(monday()).unwrap().rides, 0);
    totals_hold(&store);
    assert_eq!(days(&store), [r#"{"day":null,"rides":1,"counted":15,"readings":15}"#]);
    told.flush(&store, 1, NO_PAUSE, IDLE);
    assert_eq!(store.seal(tuesday()).unwrap().readings, 16);
}
