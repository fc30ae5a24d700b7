//! The jobs as people see them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{super::plan::next_run, Runner};
use crate::{
    config::schedule::JobConfig,
    domain::{
        run::Outcome,
        window::{Period, Window},
    },
};

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobOverview {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// How long its windows are; none of a job that runs by the instant.
    pub every: Option<Period>,
    /// Its cron text, what it comes after, or both.
    pub when: String,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// Its next firing; of one that comes after others, not before this.
    pub next_run_at: Option<DateTime<Utc>>,
    /// What is running now.
    pub running: Option<String>,
    /// Its latest run.
    pub last_run: Option<LastOverview>,
    /// The newest firing that found nothing to do.
    pub last_idle_at: Option<DateTime<Utc>>,
}

/// A job's latest run as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastOverview {
    /// Its window.
    pub window: Window,
    /// How it ended.
    pub outcome: Outcome,
    /// Which try it was.
    pub attempt: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Runner {
    /// Every job: what it is, what it did last, when it runs next.
    #[must_use]
    pub fn overview(&self) -> Vec<JobOverview> {
        let now = self.inner.clock.now();
        let schedule = self.schedule();
        let state = self.lock();
        let overview = |job: &JobConfig| {
            let history = state.view.jobs.get(&job.name);
            let newest = history.and_then(|history| history.windows.iter().max_by_key(|(_, last)| last.started_at));
            JobOverview {
                name: job.name.clone(),
                kind: job.kind.name(),
                every: (!job.is_sub_day()).then_some(job.every),
                when: job.when(),
                enabled: job.enabled,
                next_run_at: next_run(&schedule, job, now),
                running: state.running.get(&job.name).map(|running| running.window.to_string()),
                last_run: newest.map(|(window, last)| LastOverview {
                    window: *window,
                    outcome: last.outcome,
                    attempt: last.attempt,
                    started_at: last.started_at,
                    finished_at: last.finished_at,
                }),
                last_idle_at: history.and_then(|history| history.last_idle_at),
            }
        };
        schedule.jobs.iter().map(overview).collect()
    }
}
