use std::collections::HashSet;

use chrono::TimeDelta;

use super::{
    Store,
    fixture::{Told, number, open, ride, rows},
};
use crate::domain::{
    batch::{Batch, Gap, Position, Reposition, StreamId},
    day::DayRule,
    ride::EndReason,
};

const NO_PAUSE: TimeDelta = TimeDelta::zero();
const START: &str = "2026-01-06T09:00:00Z";

fn counted(store: &Store) -> Vec<String> {
    rows(
        store,
        "select source, messages, ride_lines, telemetry_lines, duplicate_lines, readings, duplicate_readings
         from ops.line_count order by source",
    )
}

/// Two streams tell of one ride by turns, `reopen` being what happens to the store between two turns.
fn two_streams(reopen: impl Fn(Store) -> Store, store: Store) -> Store {
    let mut cluster = Told::new(START);
    let mut file = Told::new(START).by("file");
    cluster.flush(&store, 5, NO_PAUSE, None);
    let store = reopen(store);
    file.flush(&store, 8, NO_PAUSE, None);
    let store = reopen(store);
    cluster.flush(&store, 6, NO_PAUSE, None);
    let store = reopen(store);
    file.flush(&store, 1, NO_PAUSE, Some(EndReason::Idle));
    let store = reopen(store);
    cluster.flush(&store, 9, NO_PAUSE, Some(EndReason::Marker));
    store
}

#[test]
fn two_streams_that_tell_of_one_ride_at_the_same_time_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let reopen = |store: Store| {
        drop(store);
        open(&folder)
    };
    for keep in [true, false] {
        let apart = tempfile::tempdir().unwrap();
        let store = if keep {
            two_streams(|store| store, open(&apart))
        } else {
            two_streams(reopen, open(&folder))
        };
        assert_eq!(number(&store, "select count(*) from daily.reading"), 20);
        assert_eq!(number(&store, "select count(distinct second) from daily.reading"), 20);
        assert_eq!(
            rows(
                &store,
                "select reading_count, duration_seconds, end_reason, alert_count from daily.ride"
            ),
            [r#"{"reading_count":20,"duration_seconds":20,"end_reason":"marker","alert_count":1}"#]
        );
        assert_eq!(
            number(&store, "select count(*) from daily.alert"),
            1,
            "one alert, not two"
        );
        // 3 of the file's 9 were new; of the cluster's 20 those 3 were not.
        assert_eq!(
            counted(&store),
            [
                r#"{"source":"cluster","messages":40,"ride_lines":17,"telemetry_lines":17,"duplicate_lines":6,"readings":17,"duplicate_readings":3}"#,
                r#"{"source":"file","messages":18,"ride_lines":3,"telemetry_lines":3,"duplicate_lines":12,"readings":3,"duplicate_readings":6}"#,
            ]
        );
        let sealed = store.seal("2026-01-06".parse().unwrap()).unwrap();
        assert_eq!((sealed.rides, sealed.readings), (1, 20));
    }
}

#[test]
fn a_ride_told_longer_by_another_stream_belongs_to_the_day_it_ends_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let late = "2026-01-06T23:59:50Z";
    Told::new(late).flush(&store, 30, NO_PAUSE, Some(EndReason::Idle));
    Told::new(late)
        .by("file")
        .flush(&store, 5, NO_PAUSE, Some(EndReason::Idle));
    assert_eq!(
        rows(&store, "select business_day, reading_count from daily.ride"),
        [r#"{"business_day":"2026-01-07","reading_count":30}"#]
    );
}

#[test]
fn rides_of_a_stream_that_is_gone_end_with_what_is_stored_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    ride(&store, "2026-01-06T08:00:00Z", 10);
    Told::new(START).by("gone").flush(&store, 7, NO_PAUSE, None);
    let mut here = Told::new("2026-01-06T10:00:00Z");
    here.flush(&store, 3, NO_PAUSE, None);
    let orphans = store.open_rides_elsewhere(&here.stream()).unwrap();
    assert_eq!(orphans, HashSet::from([Told::new(START).id()]));
    assert_eq!(
        store.open_rides_of(&here.stream(), 0).unwrap(),
        HashSet::from([here.id()])
    );
    // The row of an open ride may be older than its readings.
    let stale = "update daily.ride set reading_count = 2 where ride_id not in (select ride_id from daily.ride where
        ended_at is not null)";
    store.connection().unwrap().execute_batch(stale).unwrap();
    store.close_rides(&orphans, &DayRule::default()).unwrap();
    assert_eq!(
        rows(
            &store,
            "select end_reason, business_day, reading_count, duration_seconds, alert_count, rider_id,
             ended_at = timestamptz '2026-01-06 09:00:07+00' as ended
             from daily.ride where started_at = timestamptz '2026-01-06 09:00:00+00'"
        ),
        [
            r#"{"end_reason":"idle","business_day":"2026-01-06","reading_count":7,"duration_seconds":7,"alert_count":1,"rider_id":7,"ended":true}"#
        ]
    );
    assert_eq!(store.open_rides_elsewhere(&here.stream()).unwrap(), HashSet::new());
    assert_eq!(
        number(&store, "select count(*) from daily.ride where ended_at is null"),
        1
    );
}

#[test]
fn a_flush_that_meets_a_prune_of_the_same_ride_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut told = Told::new(START);
    told.flush(&store, 5, NO_PAUSE, Some(EndReason::Idle));
    let pruning = store.connection().unwrap();
    pruning.execute_batch("begin; delete from daily.ride").unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| told.flush(&store, 2, NO_PAUSE, Some(EndReason::Marker)));
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!writing.is_finished());
        pruning.execute_batch("commit").unwrap();
        writing.join().unwrap();
    });
    assert_eq!(number(&store, "select count(*) from daily.reading"), 7);
    assert_eq!(
        rows(&store, "select reading_count, end_reason from daily.ride"),
        [r#"{"reading_count":7,"end_reason":"marker"}"#]
    );
}

#[test]
fn offsets_without_a_message_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let stream = StreamId {
        source: "cluster".to_owned(),
        topic: "deloton".to_owned(),
    };
    for (next_offset, missing_offsets) in [(10, 3), (20, 2)] {
        let mut batch = Batch::default();
        *batch.position(0) = Position {
            next_offset,
            missing_offsets,
            ..Position::default()
        };
        store.flush(&stream, &batch, &DayRule::default()).unwrap();
    }
    assert_eq!(store.reconciliation().unwrap()[0].missing_offsets, 5);
}

#[test]
fn a_partition_given_up_remembers_how_far_it_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let stream = StreamId {
        source: "cluster".to_owned(),
        topic: "deloton".to_owned(),
    };
    let counted_until = |store: &Store| store.positions(&stream).unwrap()[0].counted_until;
    let mut batch = Batch::default();
    batch.position(0).next_offset = 20;
    store.flush(&stream, &batch, &DayRule::default()).unwrap();
    assert_eq!(counted_until(&store), 0);
    for next_offset in [12, 15] {
        let to = Reposition {
            partition: 0,
            next_offset,
            taken_over_until: None,
        };
        store.reposition(&stream, &to, &HashSet::new()).unwrap();
        assert_eq!(counted_until(&store), 20);
    }
    // In a log that was made anew the offset stands for another message.
    let gap = Gap {
        partition: 0,
        from: 15,
        to: 0,
    };
    store.record_gap(&stream, &gap).unwrap();
    assert_eq!(counted_until(&store), 0);
}
