//! Jobs and their runs.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use crate::{
    domain::run::{AskedRun, JobOverview},
    store::query::ledger,
};

/// A job of the schedule.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Job {
    /// Its name in `cron.toml`.
    pub name: String,
    /// What it does: `compact`, `transform`, `report`, …
    pub kind: String,
    /// How long its windows are: `day`, `week` or `month`; null of a job that runs by the instant.
    pub every: Option<String>,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When it will next be due: of one that follows other jobs, not before this; null of one that is disabled.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The newest firing that found nothing to do; null where there was none.
    pub last_idle_at: Option<DateTime<Utc>>,
    /// How many firings found nothing to do, ever; they are not among its runs.
    pub idle_runs: u64,
    /// The newest run; null before the first.
    pub last_run: Option<JobRun>,
}

impl Job {
    /// A job and its newest run.
    #[must_use]
    pub fn of(job: JobOverview, last_run: Option<ledger::JobRun>) -> Self {
        Job {
            name: job.name,
            kind: job.kind.to_owned(),
            every: job.every.map(|every| every.name().to_owned()),
            enabled: job.enabled,
            next_run_at: job.next_run_at,
            last_idle_at: job.last_idle_at,
            idle_runs: job.idle_runs,
            last_run: last_run.map(JobRun::from),
        }
    }
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct JobRun {
    /// The run.
    pub run_id: Uuid,
    /// The job's name.
    pub job: String,
    /// The business day (`2026-11-21`), ISO week (`2026-W47`), month (`2026-11`) or instant it was about.
    pub window: String,
    /// 1 for the first try.
    pub attempt: i32,
    /// Why it ran.
    pub reason: String,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// When it began; of one that has not, when it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it ended; null while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `abandoned`; `waiting` of one that was asked for and has not begun.
    pub outcome: String,
    /// What it did, in counts.
    pub counts: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<String>,
}

impl From<ledger::JobRun> for JobRun {
    fn from(run: ledger::JobRun) -> Self {
        JobRun {
            run_id: run.run_id,
            job: run.job,
            window: run.window,
            attempt: run.attempt,
            reason: run.reason,
            scheduled_at: run.scheduled_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            outcome: run.outcome,
            counts: run.counts.and_then(|counts| serde_json::from_str(&counts).ok()),
            error: run.error,
        }
    }
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct AskedJobRun {
    /// The run; it is in the list of the job's runs when it has begun.
    pub run_id: Uuid,
    /// The job's name.
    pub job: String,
    /// The business day, ISO week, month or instant it is about.
    pub window: String,
    /// Where to look how it goes.
    pub href: String,
}

impl From<AskedRun> for AskedJobRun {
    fn from(run: AskedRun) -> Self {
        AskedJobRun {
            href: format!("/api/v1/runs/{}", run.run_id),
            run_id: run.run_id,
            job: run.job,
            window: run.window.to_string(),
        }
    }
}

impl From<AskedRun> for ledger::JobRun {
    /// As the ledger would have it: none of its times is known yet but that it was asked for.
    fn from(run: AskedRun) -> Self {
        ledger::JobRun {
            run_id: run.run_id,
            job: run.job,
            window: run.window.to_string(),
            attempt: 1,
            reason: "manual".to_owned(),
            scheduled_at: run.asked_at,
            started_at: run.asked_at,
            finished_at: None,
            outcome: if run.refused.is_some() { "failed" } else { "waiting" }.to_owned(),
            counts: None,
            error: run.refused,
        }
    }
}

/// A run of a job with what it logged.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct JobRunDetail {
    /// The run.
    #[oai(flatten)]
    pub run: JobRun,
    /// What it logged, oldest first; nothing of a run that a crash cut short.
    pub log: Vec<LogLine>,
}

/// A line that a run logged.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The sentence, and its fields as `name=value`.
    pub message: String,
}

impl JobRunDetail {
    /// A run and its log.
    #[must_use]
    pub fn of(run: ledger::JobRun, log: Vec<crate::domain::run::LogLine>) -> Self {
        let line = |line: crate::domain::run::LogLine| LogLine {
            at: line.at,
            level: line.level,
            message: line.message,
        };
        JobRunDetail {
            run: run.into(),
            log: log.into_iter().map(line).collect(),
        }
    }
}
