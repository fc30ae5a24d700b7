//! The pages of jobs: the grid of what ran for which window, and one window with its runs, where it can be run again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{Days, NaiveDate};
use poem::{
    IntoResponse, Response, handler,
    http::{StatusCode, header},
    web::{Data, Path, Query},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{super::ApiContext, Page, moment, nothing_here, show};
use crate::{
    api::problem::Refusal,
    domain::{
        day::DayRule,
        run::{AskedRun, JobOverview, LogLine, NotStarted, OpenWindow},
        window::{Period, Window},
    },
    store::query::ledger,
    template::format,
};

/// Days on the grid.
const GRID_DAYS: u64 = 21;
/// Runs on the page of a window.
const RUNS: u32 = 20;

/// What a cell of the grid shows: icon, word and, by its class, colour.
#[derive(Serialize)]
struct Cell {
    window: Window,
    /// Days that it spans on the grid.
    days: usize,
    /// A week's or a month's name; a day's is at the top of its column.
    label: Option<String>,
    /// `none` where it was not run.
    outcome: String,
    icon: &'static str,
    word: &'static str,
    attempts: i32,
    /// What it waits for, and that its deadline has passed.
    stands: Option<String>,
}

/// The grid of jobs and days.
#[handler]
pub(in crate::api) async fn jobs_page(context: Data<&ApiContext>) -> poem::Result<Response> {
    let today = context.today();
    let first_day = today - Days::new(GRID_DAYS - 1);
    let (cells, latest) = context
        .read(move |store| Ok((ledger::job_grid(store, first_day)?, ledger::latest_runs(store)?)))
        .await?;
    let jobs = Arc::clone(&context.jobs);
    // It plans; that is nothing to hold up the answers to others.
    let open = tokio::task::spawn_blocking(move || jobs.open_windows())
        .await
        .map_err(|error| Refusal::internal(&anyhow::Error::new(error)))?;
    let runs = Runs {
        schedule: context.jobs.overview(),
        open,
        cells,
        latest,
    };
    show(&context, &grid(runs, first_day, context.day_rule))
}

/// What the grid of jobs and days tells of.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) schedule: Vec<JobOverview>,
    pub(super) open: Vec<OpenWindow>,
    pub(super) cells: Vec<ledger::GridCell>,
    pub(super) latest: Vec<ledger::JobRun>,
}

pub(super) fn grid(runs: Runs, first_day: NaiveDate, rule: DayRule) -> Page {
    let Runs {
        schedule,
        open,
        cells,
        latest,
    } = runs;
    let open: BTreeMap<_, _> = open
        .into_iter()
        .map(|open| ((open.job.clone(), open.window), open))
        .collect();
    let days: Vec<NaiveDate> = first_day.iter_days().take(GRID_DAYS as usize).collect();
    let latest: BTreeMap<_, _> = latest.into_iter().map(|run| (run.job.clone(), run)).collect();
    let known: BTreeSet<_> = schedule.iter().map(|job| job.name.clone()).collect();
    let failures: Vec<_> = cells
        .iter()
        .filter(|cell| cell.outcome == "failed")
        .map(|cell| {
            json!({
                "job": cell.job, "window": cell.window, "attempts": cell.attempts, "error": cell.error,
                "is_known": known.contains(&cell.job),
            })
        })
        .collect();
    let gone = latest
        .keys()
        .filter(|name| !known.contains(*name))
        .map(|name| JobOverview {
            name: name.clone(),
            every: Some(Period::Day),
            ..JobOverview::default()
        });
    let jobs = schedule.into_iter().chain(gone);
    let by_cell: BTreeMap<(String, Window), ledger::GridCell> = cells
        .into_iter()
        .map(|cell| ((cell.job.clone(), cell.window), cell))
        .collect();
    let rows: Vec<_> = jobs
        .map(|job| {
            let JobOverview { name, kind, .. } = job;
            let cells = job.every.map(|every| {
                let windows = days.chunk_by(|&a, &b| every.around(a) == every.around(b));
                let cell = |days: &[NaiveDate]| {
                    let window = every.around(days[0]);
                    let key = (name.clone(), window);
                    shown(window, days.len(), by_cell.get(&key), open.get(&key))
                };
                windows.map(cell).collect::<Vec<_>>()
            });
            let last = latest.get(&name).map(|run| {
                let (icon, word) = outcome_words(&run.outcome);
                json!({
                    "icon": icon, "word": word, "outcome": run.outcome, "at": moment(run.started_at, rule),
                    "window": run.window,
                })
            });
            json!({
                "name": name, "kind": Some(kind).filter(|kind| !kind.is_empty()), "is_enabled": job.enabled,
                "next": job.next_run_at.map(|at| moment(at, rule)), "last": last,
                "idle": job.last_idle_at.map(|at| moment(at, rule)), "idle_runs": job.idle_runs, "cells": cells,
            })
        })
        .collect();
    Page {
        template: "web/jobs.html",
        values: json!({ "days": days, "rows": rows, "failures": failures, "timezone": rule.timezone.name() }),
    }
}

fn shown(window: Window, days: usize, cell: Option<&ledger::GridCell>, open: Option<&OpenWindow>) -> Cell {
    let is_late = open.is_some_and(|open| open.is_late);
    let outcome = match (cell, open) {
        (Some(cell), _) if cell.outcome != "succeeded" => cell.outcome.as_str(),
        (_, Some(_)) if is_late => "late",
        (Some(cell), _) => cell.outcome.as_str(),
        (None, Some(_)) => "waiting",
        (None, None) => "none",
    };
    let (icon, word) = outcome_words(outcome);
    let late = if is_late { ", past its deadline" } else { "" };
    // The week's number; its year is that of the days above.
    let week = || window.to_string().split_once('-').map(|(_, week)| week.to_owned());
    let label = match window.span() {
        Some((first, _)) if matches!(window, Window::Month(_)) => Some(first.format("%b").to_string()),
        _ => week().filter(|_| matches!(window, Window::Week(_))),
    };
    Cell {
        window,
        days,
        label,
        outcome: outcome.to_owned(),
        icon,
        word,
        attempts: cell.map_or(0, |cell| cell.attempts),
        stands: open.map(|open| format!("{}{late}", open.stands)),
    }
}

/// An outcome of the ledger, or how a window stands that has none, as an icon and a word.
fn outcome_words(name: &str) -> (&'static str, &'static str) {
    match name {
        "none" => ("", "not run"),
        "late" => ("!!", "late"),
        "succeeded" => ("✓", "ok"),
        "failed" => ("!", "failed"),
        "running" => ("…", "running"),
        "waiting" => ("◦", "waiting"),
        _ => ("–", "cut short"),
    }
}

/// The run that somebody has just asked for.
#[derive(Deserialize)]
struct JustAsked {
    run: Option<Uuid>,
}

/// One window of a job: its runs, what the newest logged, and a button that runs it again.
#[handler]
pub(in crate::api) async fn window_page(
    context: Data<&ApiContext>,
    Path((job, window)): Path<(String, String)>,
    Query(just_asked): Query<JustAsked>,
) -> poem::Result<Response> {
    let Ok(window) = window.parse::<Window>() else {
        return nothing_here(&context);
    };
    let asked = just_asked.run.and_then(|run_id| context.jobs.asked(run_id));
    show_window(&context, job, window, asked).await
}

/// The page of a window; of one that nothing is known of, that there is none.
async fn show_window(
    context: &ApiContext,
    job: String,
    window: Window,
    asked: Option<AskedRun>,
) -> poem::Result<Response> {
    let schedule = context.jobs.overview();
    let name = job.clone();
    let (runs, kept) = context
        .read(move |store| {
            let runs = ledger::window_runs(store, &name, window, RUNS)?;
            let log = runs.first().map(|run| store.run_log(run.run_id)).transpose()?;
            Ok((runs, log.unwrap_or_default()))
        })
        .await?;
    let is_known = schedule
        .iter()
        .any(|known| known.name == job && known.every == window.period());
    if !is_known && runs.is_empty() {
        return nothing_here(context);
    }
    let log = runs
        .first()
        .and_then(|run| context.jobs.log_so_far(run.run_id))
        .unwrap_or(kept);
    let seen = Seen {
        job,
        window,
        is_known,
        asked,
        runs,
        log,
    };
    show(context, &of_window(seen, context.day_rule))
}

/// What the page of a window tells of.
pub(super) struct Seen {
    pub(super) job: String,
    pub(super) window: Window,
    /// The schedule has the job, and it makes such windows.
    pub(super) is_known: bool,
    pub(super) asked: Option<AskedRun>,
    pub(super) runs: Vec<ledger::JobRun>,
    pub(super) log: Vec<LogLine>,
}

pub(super) fn of_window(seen: Seen, rule: DayRule) -> Page {
    let Seen {
        job,
        window,
        is_known,
        asked,
        runs,
        log,
    } = seen;
    // A run that came to another's is told of by that one.
    let asked = asked.filter(|asked| asked.same_as.is_none());
    let is_under_way =
        asked.as_ref().is_some_and(|asked| asked.refused.is_none()) || runs.iter().any(|run| run.outcome == "running");
    let clock = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&rule.timezone).format("%H:%M:%S").to_string();
    let runs: Vec<_> = runs
        .into_iter()
        .map(|run| {
            let (icon, word) = outcome_words(&run.outcome);
            let took = run.finished_at.map(|finished| seconds(finished - run.started_at));
            let counts: BTreeMap<String, f64> = run
                .counts
                .and_then(|counts| serde_json::from_str(&counts).ok())
                .unwrap_or_default();
            let counts: Vec<_> = counts
                .iter()
                .map(|(name, count)| format!("{} {}", format::count(*count), name.replace('_', " ")))
                .collect();
            json!({
                "icon": icon, "word": word, "outcome": run.outcome, "at": moment(run.started_at, rule), "took": took,
                "attempt": run.attempt, "reason": run.reason.replace('_', " "), "counts": counts.join(", "),
                "error": run.error,
            })
        })
        .collect();
    let log: Vec<_> = log
        .into_iter()
        .map(|line| json!({ "at": clock(line.at), "level": line.level, "message": line.message }))
        .collect();
    Page {
        template: "web/window.html",
        values: json!({
            "job": job, "window": window, "is_known": is_known, "runs": runs, "log": log,
            "refused": asked.as_ref().and_then(|asked| asked.refused.clone()),
            "is_waiting": asked.is_some_and(|asked| asked.refused.is_none()),
            "is_under_way": is_under_way, "timezone": rule.timezone.name(),
        }),
    }
}

/// How long a run took.
fn seconds(took: chrono::TimeDelta) -> String {
    let seconds = took.num_milliseconds().max(0) as f64 / 1_000.0;
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else {
        format::duration(seconds)
    }
}

/// Runs a window again, and shows how it goes. A page of another site cannot: every request that changes something is
/// held against its origin.
#[handler]
pub(in crate::api) async fn run_again(
    context: Data<&ApiContext>,
    Path((job, window)): Path<(String, String)>,
) -> poem::Result<Response> {
    let Ok(asked) = window.parse::<Window>() else {
        return nothing_here(&context);
    };
    let (jobs, name) = (Arc::clone(&context.jobs), job.clone());
    let started = tokio::task::spawn_blocking(move || jobs.start(&name, Some(asked), false)).await;
    match started.map_err(|error| Refusal::internal(&anyhow::Error::new(error)))? {
        Ok(run) => Ok(Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(
                header::LOCATION,
                format!("/jobs/{job}/{}?run={}", run.window, run.run_id),
            )
            .finish()
            .into_response()),
        Err(NotStarted::NoSuchJob(_)) => nothing_here(&context),
        Err(NotStarted::Unsuited(why)) => {
            let refused = AskedRun {
                run_id: Uuid::nil(),
                job: job.clone(),
                window: asked,
                asked_at: context.clock.now(),
                same_as: None,
                refused: Some(why),
            };
            let mut page = show_window(&context, job, asked, Some(refused)).await?;
            if page.status() == StatusCode::OK {
                page.set_status(StatusCode::BAD_REQUEST);
            }
            Ok(page)
        }
    }
}
