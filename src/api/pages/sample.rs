//! Samples of what the pages tell of: one in which everything happened, one in which nothing did.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Page, about,
    jobs::{Runs, Seen, grid, of_window},
    landing, login, nothing, one_mail, outbox, recent, ride,
    unsubscribe::{self, Said},
    wall,
};
use crate::{
    api::{
        naming::Naming,
        problem,
        riding::{Riding, RidingList},
        schema::Status,
    },
    domain::{
        access::{Pseudonyms, Role},
        day::DayRule,
        heart_rate::{AlertRule, OwnLimits, Standing},
        live::{LiveBike, LiveRide, LiveSecond},
        rider::Gender,
        run::{AskedRun, JobOverview, LogLine, OpenWindow},
        window::{Period, Window},
    },
    store::query::{
        Activity, AlertRow, ReadingRow, RecentFilter, RecentRide, RideRow,
        ledger::{GridCell, JobRun, OutboxMessage},
    },
};

/// Every page, of either sample.
pub(super) fn pages() -> Vec<Page> {
    let (rule, naming) = (DayRule::default(), naming());
    let first_day = now().date_naive() - Days::new(2);
    let mails: Vec<_> = ["sent", "dead", "unknown", "discarded", "waiting"].map(mail).into();
    let mut pages = vec![
        landing(&status(true), &["the brokers cannot be reached".to_owned()], true, rule),
        landing(&status(false), &[], false, rule),
        wall(&riding(true), 2, Role::Admin),
        wall(&riding(false), 0, Role::Viewer),
        recent::page(&last_hours(true), rule, &naming).expect("the samples can be drawn"),
        recent::page(&last_hours(false), rule, &naming).expect("the samples can be drawn"),
        ride::page(&one_ride(true), rule, &naming).expect("the samples can be drawn"),
        ride::page(&one_ride(false), rule, &naming).expect("the samples can be drawn"),
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

fn naming() -> Naming {
    Naming::new(Role::Admin, Pseudonyms::new([0; 32]))
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
        ride: Arc::new(LiveRide {
            bike_serial: "SN0001".to_owned(),
            ride_id: Uuid::nil(),
            rider_id: is_known.then_some(306),
            name: is_known.then(|| "Ann Other".to_owned()),
            age: is_known.then_some(41),
            gender: if is_known { Gender::Female } else { Gender::Unknown },
            height_cm: is_known.then_some(170),
            weight_kg: is_known.then_some(70),
            started_at: now() - TimeDelta::minutes(9),
            limits: AlertRule::default().limits(is_known.then_some(41), Gender::Female, OwnLimits::default()),
        }),
        now: LiveSecond {
            at: now(),
            second: 540,
            heart_rate_bpm: is_known.then_some(141),
            standing: if is_known {
                Standing::Within
            } else {
                Standing::NoContact
            },
            power_watts: is_known.then_some(186.6),
            cadence_rpm: is_known.then_some(82),
            resistance: is_known.then_some(45),
            energy_kilojoules: 98.7,
            power_watts_max: is_known.then_some(412.5),
        },
        changed: 1,
    };
    let bikes = [true, false].map(|is_known| Riding::at(&bike(is_known), now(), &naming()));
    RidingList {
        items: if has_values { bikes.into() } else { Vec::new() },
        next: None,
    }
}

fn last_hours(has_rides: bool) -> recent::Found {
    let activity = Activity {
        starts_at: now(),
        gender: "female".to_owned(),
        age_band: "35–44".to_owned(),
        rides: 2,
        riding: 1,
        duration_seconds: 600,
        energy_kilojoules: 98.7,
        power_watts: (300.0, 2),
        heart_rate_bpm: (240.0, 2),
    };
    let ride = |is_known: bool| RecentRide {
        ride_id: Uuid::nil(),
        bike_serial: "SN0001".to_owned(),
        rider_id: is_known.then_some(306),
        name: is_known.then(|| "Ann Other".to_owned()),
        gender: if is_known { Gender::Female } else { Gender::Unknown },
        age: is_known.then_some(41),
        started_at: now(),
        is_open: !is_known,
        duration_seconds: 300,
        energy_kilojoules: 98.7,
        power_watts_mean: is_known.then_some(150.0),
        heart_rate_bpm_mean: is_known.then_some(120.0),
        alert_count: i32::from(is_known),
    };
    recent::Found {
        filter: RecentFilter {
            since: now() - TimeDelta::hours(12),
            until: now(),
            gender: (!has_rides).then_some(Gender::Other),
            age_band: has_rides.then(|| "35–44".to_owned()),
        },
        hours: if has_rides { 12 } else { 1 },
        activity: if has_rides { vec![activity] } else { Vec::new() },
        rides: if has_rides {
            [true, false].map(ride).into()
        } else {
            Vec::new()
        },
        next: has_rides.then(Uuid::nil),
    }
}

/// A ride with an alert whose every second but one is there, and one of which next to nothing is known.
fn one_ride(is_known: bool) -> ride::Found {
    let reading = |second: i32| ReadingRow {
        second,
        recorded_at: now() + TimeDelta::seconds(second.into()),
        resistance: Some(45),
        heart_rate_bpm: (second % 7 > 0).then_some(180),
        is_dropout: second % 7 == 0,
        cadence_rpm: Some(80),
        power_watts: Some(187.4),
        is_flagged: false,
    };
    let value = is_known.then_some(187.4);
    ride::Found {
        ride: RideRow {
            ride_id: Uuid::nil(),
            business_day: is_known.then(|| now().date_naive()),
            bike_serial: "SN0001".to_owned(),
            rider_id: is_known.then_some(306),
            started_at: now(),
            ended_at: is_known.then(now),
            end_reason: is_known.then(|| "idle".to_owned()),
            is_partial: !is_known,
            duration_seconds: if is_known { 90 } else { 0 },
            reading_count: if is_known { 89 } else { 0 },
            energy_kilojoules: 16.9,
            power_watts_mean: value,
            power_watts_min: value,
            power_watts_max: value,
            heart_rate_bpm_mean: value,
            heart_rate_bpm_min: is_known.then_some(180),
            heart_rate_bpm_max: is_known.then_some(180),
            dropout_seconds: if is_known { 12 } else { 0 },
            cadence_rpm_mean: value,
            cadence_rpm_min: is_known.then_some(80),
            cadence_rpm_max: is_known.then_some(80),
            resistance_mean: value,
            resistance_min: is_known.then_some(45),
            resistance_max: is_known.then_some(45),
            flagged_readings: 0,
            alert_count: i32::from(is_known),
        },
        rider: None,
        limits: AlertRule::default().limits(is_known.then_some(41), Gender::Female, OwnLimits::default()),
        readings: if is_known {
            (1..=90).filter(|second| *second != 50).map(reading).collect()
        } else {
            Vec::new()
        },
        alerts: is_known.then(alert).into_iter().collect(),
    }
}

fn alert() -> AlertRow {
    AlertRow {
        ride_id: Uuid::nil(),
        business_day: None,
        rider_id: 306,
        raised_at: now(),
        second: 60,
        direction: "high".to_owned(),
        level: 1,
        heart_rate_bpm: 180,
        limit_bpm: 179,
        limit_source: "tanaka".to_owned(),
        sustained_seconds: 10,
        mail_state: None,
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
