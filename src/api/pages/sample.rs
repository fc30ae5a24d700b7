//! Samples of what the pages tell of: one in which everything happened, one in which nothing did.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Page, about,
    jobs::{Runs, Seen, grid, of_window},
    landing, login, nothing, one_mail, outbox,
    unsubscribe::{self, Said},
    wall,
};
use crate::{
    api::{
        problem,
        schema::{Riding, RidingList, Status},
    },
    domain::{
        access::{Pseudonyms, Role},
        day::DayRule,
        live::LiveBike,
        run::{AskedRun, JobOverview, LogLine, OpenWindow},
        window::{Period, Window},
    },
    store::query::ledger::{GridCell, JobRun, OutboxMessage},
};

/// Every page, of either sample.
pub(super) fn pages() -> Vec<Page> {
    let rule = DayRule::default();
    let first_day = now().date_naive() - Days::new(2);
    let mails: Vec<_> = ["sent", "dead", "unknown", "discarded", "waiting"].map(mail).into();
    let mut pages = vec![
        landing(&status(true), &["the brokers cannot be reached".to_owned()], true, rule),
        landing(&status(false), &[], false, rule),
        wall(&riding(true)),
        wall(&riding(false)),
        grid(runs(first_day), first_day, rule),
        grid(Runs::default(), first_day, rule),
        of_window(window(first_day, true), rule),
        of_window(window(first_day, false), rule),
        outbox(&mails, rule),
        outbox(&[], rule),
        about(&problem::KINDS[0], None),
        about(&problem::KINDS[1], Some("`riderid` is not known")),
        nothing(),
    ];
    let said = [Said::Asked, Said::Unsubscribed, Said::Resubscribed, Said::Unknown];
    pages.extend(said.map(|said| unsubscribe::page(said, "0f0f")));
    let said = [
        login::Said::SignedIn(Role::Analyst),
        login::Said::Asked(None),
        login::Said::Asked(Some("the key was revoked")),
        login::Said::NotNeeded,
    ];
    pages.extend(said.map(|said| login::page(said, "/jobs".to_owned())));
    pages.extend(mails.iter().map(|mail| one_mail(mail, rule)));
    pages
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(9)
}

fn status(has_happened: bool) -> Status {
    let count = if has_happened { 1_234 } else { 0 };
    let at = has_happened.then(now);
    Status {
        now: now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        today: now().date_naive(),
        riding: count,
        stream_is_connected: !has_happened,
        stream_trouble: has_happened.then(|| "no broker can be reached".to_owned()),
        lag_messages: has_happened.then_some(count),
        messages: count,
        partitions: count,
        newest_reading_at: at,
        flushed_at: at,
        buffer_rides: count,
        open_rides: count,
        buffer_readings: count,
        rejected_lines: count,
        sealed_days: count,
        last_sealed_day: at.map(|at| at.date_naive()),
        sealed_rides: count,
        published_at: at,
        mails_waiting: count,
        mails: count,
        jobs_running: count,
    }
}

fn riding(has_values: bool) -> RidingList {
    let bike = |is_known: bool| LiveBike {
        ride_id: Uuid::nil(),
        rider_id: is_known.then_some(306),
        forename: is_known.then(|| "Ann".to_owned()),
        age: is_known.then_some(41),
        started_at: now() - TimeDelta::minutes(9),
        at: now(),
        second: 540,
        heart_rate_bpm: is_known.then_some(141),
        heart_rate_limit_bpm: is_known.then_some(179),
        power_watts: is_known.then_some(186.6),
        cadence_rpm: is_known.then_some(82),
        resistance: is_known.then_some(45),
        energy_kilojoules: 98.7,
    };
    let bikes =
        [true, false].map(|is_known| Riding::at("SN0001".to_owned(), bike(is_known), now(), &Pseudonyms::new([0; 32])));
    RidingList {
        items: if has_values { bikes.into() } else { Vec::new() },
        next: None,
    }
}

/// Jobs that ran and ended in every way there is, one that found nothing to do, and one that is scheduled no more.
fn runs(day: NaiveDate) -> Runs {
    let outcomes = ["succeeded", "failed", "running", "abandoned"];
    let job = |name: &str| JobOverview {
        name: name.to_owned(),
        kind: "compact",
        enabled: name != "abandoned",
        every: match name {
            "failed" => Some(Period::Week),
            "idle" => None,
            _ => Some(Period::Day),
        },
        next_run_at: (name == "failed").then(now),
        last_idle_at: (name == "idle").then(now),
        ..JobOverview::default()
    };
    let cell = |attempts, outcome: &str| GridCell {
        job: outcome.to_owned(),
        window: if outcome == "failed" { Period::Week } else { Period::Day }.around(day),
        outcome: outcome.to_owned(),
        attempts,
        run_id: Uuid::nil(),
        error: (attempts > 1).then(|| "the disk is full".to_owned()),
    };
    Runs {
        schedule: outcomes
            .iter()
            .chain(&["idle", "compact"])
            .map(|name| job(name))
            .collect(),
        open: [("idle", false), ("compact", true)]
            .map(|(job, is_late)| OpenWindow {
                job: job.to_owned(),
                window: Window::Day(day),
                stands: "waits for report".to_owned(),
                is_late,
            })
            .into(),
        cells: (1..)
            .zip(outcomes)
            .map(|(attempts, outcome)| cell(attempts, outcome))
            .collect(),
        latest: outcomes
            .iter()
            .map(|outcome| run(outcome, outcome, day))
            .chain([run("gone", "succeeded", day)])
            .collect(),
    }
}

fn run(job: &str, outcome: &str, day: NaiveDate) -> JobRun {
    let has_failed = outcome == "failed";
    JobRun {
        run_id: Uuid::nil(),
        job: job.to_owned(),
        window: day.to_string(),
        attempt: 1,
        reason: "schedule".to_owned(),
        scheduled_at: now(),
        started_at: now(),
        finished_at: (outcome != "running").then(now),
        outcome: outcome.to_owned(),
        counts: (outcome == "succeeded").then(|| r#"{"rides":3}"#.to_owned()),
        error: has_failed.then(|| "the disk is full".to_owned()),
    }
}

/// A window that was run in every way there is and is asked for once more; one that never was, of a job that is gone.
fn window(day: NaiveDate, has_runs: bool) -> Seen {
    let outcomes = if has_runs {
        &["running", "failed", "abandoned", "succeeded"][..]
    } else {
        &[]
    };
    let line = LogLine {
        at: now(),
        level: "warn".to_owned(),
        message: "the disk is nearly full".to_owned(),
    };
    Seen {
        job: "report".to_owned(),
        window: Period::Day.around(day),
        is_known: has_runs,
        asked: Some(AskedRun {
            run_id: Uuid::nil(),
            job: "report".to_owned(),
            window: Period::Day.around(day),
            asked_at: now(),
            same_as: None,
            refused: (!has_runs).then(|| "`compact`, which it comes after, failed".to_owned()),
        }),
        runs: outcomes.iter().map(|outcome| run("report", outcome, day)).collect(),
        log: if has_runs { vec![line] } else { Vec::new() },
    }
}

fn mail(state: &str) -> OutboxMessage {
    let is_settled = state != "waiting";
    OutboxMessage {
        message_id: Uuid::nil(),
        kind: "daily_report".to_owned(),
        topic: now().date_naive().to_string(),
        recipient: "c…@deloton.example".to_owned(),
        state: state.to_owned(),
        subject: "Deloton: 1,234 rides".to_owned(),
        created_at: now(),
        attempts: i32::from(is_settled),
        attempted_at: is_settled.then(now),
        settled_at: is_settled.then(now),
        detail: is_settled.then(|| "250 accepted".to_owned()),
    }
}
