//! What will run, and what never will.

use chrono::{DateTime, Utc};

use super::{LedgerView, calendar, upstream_order};
use crate::{
    config::schedule::{CatchUp, JobConfig, Overlap, Schedule},
    domain::window::Window,
    scheduler::firing::{latest_at, next_after},
};

/// Missed firings are counted up to this; a job by the second misses half a million a month.
pub const MOST_COUNTED: usize = 20_000;

/// A run to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// The job.
    pub job: String,
    /// When it fires; for one that only comes after others, when the last of those does.
    pub at: DateTime<Utc>,
    /// What it will be about.
    pub window: Window,
    /// The jobs it comes after.
    pub after: Vec<String>,
}

/// The next run of `job` after `now`. Of a job that comes after others: not before this.
#[must_use]
pub fn next_run(schedule: &Schedule, job: &JobConfig, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if !job.enabled {
        return None;
    }
    match &job.cron {
        Some(cron) => next_after(cron, job.timezone, now),
        None => {
            let upstream = job.after.iter().filter_map(|name| schedule.job(name));
            upstream
                .map(|upstream| next_run(schedule, upstream, now))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max()
        }
    }
}

/// All runs after `now` and up to `until`, in order of time; of jobs that run by the instant, only the next.
#[must_use]
pub fn next_runs(schedule: &Schedule, now: DateTime<Utc>, until: DateTime<Utc>) -> Vec<NextRun> {
    let mut runs = Vec::new();
    for job in upstream_order(schedule) {
        let mut at = now;
        while let Some(next) = next_run(schedule, job, at).filter(|&next| next <= until) {
            let instant = job.is_sub_day();
            let window = if instant {
                Window::Instant(next)
            } else {
                calendar::last_ended(&schedule.day, job.every, next)
            };
            runs.push(NextRun {
                job: job.name.clone(),
                at: next,
                window,
                after: job.after.clone(),
            });
            at = next;
            if instant {
                break;
            }
        }
    }
    runs.sort_by_key(|run| run.at);
    runs
}

/// Firings that nobody was there for and that will not be made good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The job.
    pub job: String,
    /// The first of them.
    pub from: Window,
    /// The last of them.
    pub to: Window,
    /// How many windows; of instants [`MOST_COUNTED`] at most.
    pub count: usize,
    /// Why they are not.
    pub why: String,
}

/// Firings since each job's first sight that the ledger has no run for and the plan at `now` does not make good.
/// Jobs that only come after others miss nothing: what they come after decides.
#[must_use]
pub fn missed(schedule: &Schedule, view: &LedgerView, planned: &super::Plan, now: DateTime<Utc>) -> Vec<Missed> {
    let mut found = Vec::new();
    for job in schedule.jobs.iter().filter(|job| job.enabled) {
        let (Some(cron), Some(history)) = (&job.cron, view.jobs.get(&job.name)) else {
            continue;
        };
        let why = match job.catch_up {
            CatchUp::All => "older than its catch_up_window",
            CatchUp::Last => "catch_up = \"last\": only the newest counts",
            CatchUp::None => "catch_up = \"none\"",
        };
        if job.is_sub_day() {
            let planned_first = planned
                .due
                .iter()
                .filter(|due| due.job == job.name)
                .map(|due| due.scheduled_at)
                .min();
            let running = history.running().and_then(|(window, _)| window.instant());
            let from = history
                .answered
                .unwrap_or(history.first_seen_at)
                .max(running.unwrap_or(history.first_seen_at));
            // What fires while it runs is not missed where it is queued.
            let is_queued = running.is_some() && job.overlap == Overlap::Queue && job.catch_up == CatchUp::All;
            let until = match planned_first {
                None if is_queued => now - job.catch_up_window,
                planned => planned.unwrap_or(now),
            };
            let first = next_after(cron, job.timezone, from).filter(|&first| first < until);
            let last = latest_at(cron, job.timezone, until - chrono::TimeDelta::seconds(1));
            if let Some((first, last)) = first.zip(last).filter(|(first, last)| first <= last) {
                let why = if job.overlap == Overlap::Skip {
                    "passed while it ran, or while nobody was there"
                } else if planned_first.is_none() && last < now - job.catch_up_window {
                    "older than its catch_up_window"
                } else {
                    why
                };
                let ticks = std::iter::successors(Some(first), |&at| next_after(cron, job.timezone, at));
                found.push(Missed {
                    job: job.name.clone(),
                    from: Window::Instant(first),
                    to: Window::Instant(last),
                    count: ticks.take_while(|&at| at <= last).take(MOST_COUNTED).count(),
                    why: why.to_owned(),
                });
            }
            continue;
        }
        let known = |window: Window| {
            history.windows.contains_key(&window)
                || planned
                    .due
                    .iter()
                    .any(|due| due.job == job.name && due.window == window)
                || planned
                    .waiting
                    .iter()
                    .any(|waiting| waiting.job == job.name && waiting.window == window)
        };
        let fired = calendar::firings(&schedule.day, job, cron, history.first_seen_at, now);
        let mut windows: Vec<_> = fired
            .into_iter()
            .map(|(window, _)| window)
            .filter(|&window| !known(window))
            .collect();
        windows.dedup();
        if let (Some(&first), Some(&last)) = (windows.first(), windows.last()) {
            found.push(Missed {
                job: job.name.clone(),
                from: first,
                to: last,
                count: windows.len(),
                why: why.to_owned(),
            });
        }
    }
    found
}
