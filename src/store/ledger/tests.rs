use super::*;
use crate::clock::Clock;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed(at("2026-01-06T00:00:00Z"))).unwrap();
    (folder, store)
}

fn begin(store: &Store, job: &str, window: &str, attempt: u32, started_at: &str) -> Uuid {
    let run_id = Uuid::from_u128(u128::from(attempt) << 64 | started_at.bytes().map(u128::from).sum::<u128>());
    let (window, started_at) = (window.parse().unwrap(), at(started_at));
    store
        .start_run(NewRun {
            run_id,
            job,
            window,
            attempt,
            reason: "schedule",
            scheduled_at: started_at,
            started_at,
        })
        .unwrap();
    run_id
}

#[test]
fn the_latest_run_of_a_window_is_told_with_its_latest_success() {
    let (_folder, store) = store();
    let first = begin(&store, "report", "2026-01-05", 1, "2026-01-06T00:20:00.123456Z");
    store
        .finish_run(
            first,
            at("2026-01-06T00:21:00Z"),
            Ok(&JobStatus::done().count("pages", 3)),
        )
        .unwrap();
    let second = begin(&store, "report", "2026-01-05", 2, "2026-01-06T09:00:00Z");
    store
        .finish_run(second, at("2026-01-06T09:00:01Z"), Err((Outcome::Failed, "disk full")))
        .unwrap();
    begin(&store, "send", "2026-01-06T09:00:05Z", 1, "2026-01-06T09:00:05Z");

    let runs = store.last_runs().unwrap();
    let report = runs.iter().find(|run| run.job == "report").unwrap();
    assert_eq!((report.attempt, report.outcome), (2, Outcome::Failed));
    assert_eq!(report.done_started_at, Some(at("2026-01-06T00:20:00.123456Z")));
    assert_eq!(report.done_finished_at, Some(at("2026-01-06T00:21:00Z")));
    assert_eq!(
        runs.iter().find(|run| run.job == "send").unwrap().window.to_string(),
        "2026-01-06T09:00:05Z"
    );

    let history = store.job_runs(Some("report"), 10).unwrap();
    assert_eq!(history.iter().map(|run| run.attempt).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(history[0].error.as_deref(), Some("disk full"));
    assert_eq!(history[1].counts, Some(serde_json::json!({"pages": 3})));
    assert_eq!(store.job_runs(None, 1).unwrap()[0].job, "send");
    assert_eq!(store.job_run(first).unwrap().unwrap().window, "2026-01-05");
    assert_eq!(store.job_run(Uuid::nil()).unwrap(), None);
}

#[test]
fn what_a_crash_cut_short_is_abandoned_once() {
    let (_folder, store) = store();
    let run_id = begin(&store, "compact", "2026-01-05", 1, "2026-01-06T00:20:00Z");
    assert_eq!(store.abandon_runs(at("2026-01-06T08:00:00Z")).unwrap(), 1);
    assert_eq!(store.abandon_runs(at("2026-01-06T09:00:00Z")).unwrap(), 0);
    let run = store.job_run(run_id).unwrap().unwrap();
    assert_eq!(
        (run.outcome, run.finished_at),
        (Outcome::Abandoned, Some(at("2026-01-06T08:00:00Z")))
    );
}

#[test]
fn of_the_tries_that_led_to_a_run_those_that_failed_are_counted() {
    let (_folder, store) = store();
    let ran = |day: &str, attempt, minute: u32, outcome| {
        let started_at = format!("2026-01-06T00:{minute:02}:00Z");
        let run_id = begin(&store, "compact", day, attempt, &started_at);
        store
            .finish_run(run_id, at(&started_at), Err((outcome, "no space")))
            .unwrap();
    };
    ran("2026-01-04", 1, 20, Outcome::Failed);
    ran("2026-01-04", 2, 21, Outcome::Failed);
    // What it is made from was made again: tries are counted anew.
    ran("2026-01-04", 1, 30, Outcome::Abandoned);
    ran("2026-01-04", 2, 31, Outcome::Failed);
    ran("2026-01-05", 1, 40, Outcome::Abandoned);
    let runs = store.last_runs().unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.window.to_string(), run.attempt, run.failures))
        .collect();
    assert!(told.contains(&("2026-01-04".to_owned(), 2, 1)), "{told:?}");
    assert!(told.contains(&("2026-01-05".to_owned(), 1, 0)), "{told:?}");
}

#[test]
fn a_job_keeps_its_first_sight_and_its_idle_runs_are_counted() {
    let (_folder, store) = store();
    store.see_jobs(["send"], at("2026-01-01T00:00:00Z")).unwrap();
    store.see_jobs(["send", "report"], at("2026-01-02T00:00:00Z")).unwrap();
    store.count_idle_runs("send", 12, at("2026-01-02T00:01:00Z")).unwrap();
    store.count_idle_runs("send", 3, at("2026-01-02T00:02:00Z")).unwrap();
    let rows = store.job_rows().unwrap();
    assert_eq!(
        rows[0],
        JobRow {
            job: "report".to_owned(),
            first_seen_at: at("2026-01-02T00:00:00Z"),
            idle_runs: 0,
            last_idle_at: None,
            failures_told_at: None,
            deadlines_told_until: None,
        }
    );
    assert_eq!(
        (rows[1].first_seen_at, rows[1].idle_runs),
        (at("2026-01-01T00:00:00Z"), 15)
    );
    assert_eq!(rows[1].last_idle_at, Some(at("2026-01-02T00:02:00Z")));
}

#[test]
fn only_the_newest_instants_are_loaded_but_every_day() {
    let (_folder, store) = store();
    for second in 0..60 {
        let instant = format!("2026-01-06T09:00:{second:02}Z");
        begin(&store, "send", &instant, second + 1, &instant);
        let day = at("2025-01-06T00:00:00Z") + chrono::TimeDelta::days(i64::from(second));
        begin(&store, "backup", &day.date_naive().to_string(), second + 100, &instant);
    }
    let runs = store.last_runs().unwrap();
    let of = |job: &str| {
        runs.iter()
            .filter(|run| run.job == job)
            .map(|run| run.window)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("backup").len(), 60);
    assert_eq!(of("send").len(), 50);
    assert!(of("send").contains(&"2026-01-06T09:00:59Z".parse().unwrap()));
}

#[test]
fn a_sealed_day_is_late_when_the_buffer_has_a_ride_that_history_lacks() {
    let (_folder, store) = store();
    let ride = |table: &str, id: u32, readings: u32, ended: &str| {
        format!(
            "insert into {table} (ride_id, business_day, bike_serial, started_at, ended_at, is_partial, duration_seconds,
                 reading_count, energy_kilojoules, dropout_seconds, flagged_readings, alert_count)
             values ('00000000-0000-0000-0000-{id:012}', '2026-01-05', 'SN0', '2026-01-05T10:00:00Z', {ended}, false, 9,
                 {readings}, 1.0, 0, 0, 0);"
        )
    };
    let ended = "'2026-01-05T11:00:00Z'";
    let run = |sql: &str| store.connection().unwrap().execute_batch(sql).unwrap();
    run(&ride("daily.ride", 1, 9, ended));
    assert_eq!(
        store.days_with_rows().unwrap(),
        BTreeSet::from(["2026-01-05".parse().unwrap()])
    );
    assert!(
        store.late_days().unwrap().is_empty(),
        "a day that is not sealed is not late"
    );
    run("insert into ops.sealed_day values ('2026-01-05', '2026-01-06T00:20:00Z', 1, 9, 1);");
    run(&ride("historical.ride", 1, 9, ended));
    assert!(store.late_days().unwrap().is_empty());
    run(&ride("daily.ride", 2, 5, "null"));
    assert!(store.late_days().unwrap().is_empty(), "an open ride is not late yet");
    run(&ride("daily.ride", 3, 5, ended));
    assert_eq!(store.late_days().unwrap().len(), 1);
}
