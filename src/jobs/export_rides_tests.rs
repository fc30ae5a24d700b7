//! Rides that end, go on after all, and end again.

use chrono::TimeDelta;

use super::*;
use crate::{
    domain::ride::EndReason,
    export::Files,
    store::fixture::{Told, number, open, ride, rows},
};

fn exporter(folder: &tempfile::TempDir) -> Exporter {
    Exporter {
        files: Files::Directory(folder.path().join("exports")),
        topic: None,
        webhook: None,
    }
}

fn export(store: &Store, exporter: &Exporter) -> JobStatus {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cancel = Cancel::default();
    run(
        store,
        exporter,
        &AlertRule::default(),
        runtime.handle(),
        &cancel,
        &Turns::default(),
    )
    .unwrap()
}

fn files(folder: &tempfile::TempDir) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for day in std::fs::read_dir(folder.path().join("exports/rides")).unwrap() {
        let day = day.unwrap();
        for ride in std::fs::read_dir(day.path()).unwrap() {
            let text = std::fs::read_to_string(ride.unwrap().path().join("ride_info.csv")).unwrap();
            found.push((day.file_name().into_string().unwrap(), text.lines().count() - 1));
        }
    }
    found.sort();
    found
}

#[test]
fn a_ride_that_goes_on_after_its_end_is_exported_again_in_the_same_place() {
    let folder = tempfile::tempdir().unwrap();
    let (store, exporter) = (open(&folder), exporter(&folder));
    store.announce_rides_to(exporter.targets());
    let mut told = Told::new("2026-01-10T10:00:00Z");
    told.flush(&store, 20, TimeDelta::zero(), None);
    assert_eq!(
        number(&store, "select count(*) from ops.outbox"),
        0,
        "nobody is told of a ride under way"
    );
    told.flush(&store, 10, TimeDelta::zero(), Some(EndReason::Idle));
    export(&store, &exporter);
    assert_eq!(files(&folder), [("date=2026-01-10".to_owned(), 30)]);
    told.flush(&store, 5, TimeDelta::seconds(70), None);
    assert_eq!(export(&store, &exporter), JobStatus::idle());
    told.flush(&store, 5, TimeDelta::zero(), Some(EndReason::Marker));
    told.flush(&store, 0, TimeDelta::zero(), Some(EndReason::Marker));
    export(&store, &exporter);
    assert_eq!(files(&folder), [("date=2026-01-10".to_owned(), 40)]);
    let ends = "select kind, state, attempts from ops.outbox order by created_at";
    assert_eq!(
        rows(&store, ends),
        [r#"{"kind":"ride_csv","state":"sent","attempts":1}"#; 2]
    );
    let user = folder
        .path()
        .join(format!("exports/rides/date=2026-01-10/{}/user_info.csv", told.id()));
    let user = std::fs::read_to_string(user).unwrap();
    assert_eq!(user.lines().nth(1), Some("7,Mr Rider Seven,male,,,,180,70,,SN1,,"));
}

#[test]
fn a_ride_that_ends_in_the_next_day_after_all_moves_there() {
    let folder = tempfile::tempdir().unwrap();
    let (store, exporter) = (open(&folder), exporter(&folder));
    store.announce_rides_to(exporter.targets());
    let mut told = Told::new("2026-01-09T23:59:00Z");
    told.flush(&store, 30, TimeDelta::zero(), Some(EndReason::Idle));
    export(&store, &exporter);
    assert_eq!(files(&folder), [("date=2026-01-09".to_owned(), 30)]);
    told.flush(&store, 30, TimeDelta::seconds(70), Some(EndReason::Marker));
    export(&store, &exporter);
    assert_eq!(files(&folder), [("date=2026-01-10".to_owned(), 60)]);
}

#[test]
fn of_rides_that_ended_long_ago_and_where_no_job_is_set_nobody_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, exporter) = (open(&folder), exporter(&folder));
    ride(&store, "2026-01-10T09:00:00Z", 20);
    store.announce_rides_to(exporter.targets());
    ride(&store, "2026-01-09T11:00:00Z", 20);
    assert_eq!(number(&store, "select count(*) from ops.outbox"), 0);
    ride(&store, "2026-01-09T12:30:00Z", 20);
    assert_eq!(number(&store, "select count(*) from ops.outbox"), 1);
}

#[test]
fn a_ride_that_others_told_of_too_is_exported_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, exporter) = (open(&folder), exporter(&folder));
    store.announce_rides_to(exporter.targets());
    let mut first = Told::new("2026-01-10T10:00:00Z");
    first.flush(&store, 30, TimeDelta::zero(), Some(EndReason::Idle));
    let mut second = Told::new("2026-01-10T10:00:00Z").by("file");
    second.flush(&store, 50, TimeDelta::zero(), Some(EndReason::Marker));
    export(&store, &exporter);
    assert_eq!(files(&folder), [("date=2026-01-10".to_owned(), 50)]);
}

#[test]
fn what_a_full_disk_left_half_sent_is_sent_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let (store, exporter) = (open(&folder), exporter(&folder));
    store.announce_rides_to(exporter.targets());
    let mut told = Told::new("2026-01-10T10:00:00Z");
    told.flush(&store, 30, TimeDelta::zero(), Some(EndReason::Marker));
    // Claimed, and nothing came of it: what became of it could not be written.
    let now = store.clock().now();
    let connection = store.connection().unwrap();
    assert!(
        outbox::claim_of_ride(&connection, MessageKind::RideCsv, now)
            .unwrap()
            .is_some()
    );
    drop(connection);
    // It was tried once, and is due again later.
    assert_eq!(export(&store, &exporter), JobStatus::idle());
    let waiting = "select count(*) from ops.outbox where kind = 'ride_csv' and state = 'waiting'";
    assert_eq!(number(&store, waiting), 1);
    store
        .connection()
        .unwrap()
        .execute_batch("update ops.outbox set attempted_at = attempted_at - interval 2 minute")
        .unwrap();
    assert!(!export(&store, &exporter).nothing_to_do);
    assert_eq!(files(&folder), [("date=2026-01-10".to_owned(), 30)]);
}
