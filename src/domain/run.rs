//! What the scheduler hands to a job and what it gets back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::window::{Period, Window};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Under way.
    Running,
    /// Did what it was for.
    Succeeded,
    /// Ended in an error.
    Failed,
    /// The process ended while it ran; due again.
    Abandoned,
}

impl Outcome {
    /// The name used in the ledger and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Abandoned => "abandoned",
        }
    }
}

/// A line that a run logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The sentence and its fields.
    pub message: String,
}

/// What a job answers: what it did, in counts. An empty one did nothing because there was nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobStatus {
    /// Counts by name, e.g. `rides`, `readings`, `files_changed`.
    pub counts: BTreeMap<&'static str, u64>,
    /// Nothing was due: such runs of sub-day jobs are counted, not stored.
    pub nothing_to_do: bool,
}

impl JobStatus {
    /// A status with nothing in it yet.
    #[must_use]
    pub fn done() -> Self {
        JobStatus::default()
    }

    /// The status of a run that found nothing to do.
    #[must_use]
    pub fn idle() -> Self {
        JobStatus {
            nothing_to_do: true,
            ..JobStatus::default()
        }
    }

    /// The same with `name` counted.
    #[must_use]
    pub fn count(mut self, name: &'static str, value: u64) -> Self {
        self.counts.insert(name, value);
        self
    }
}

/// A job as people see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    /// How many firings found nothing to do, ever; they are no runs.
    pub idle_runs: u64,
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

/// A window that a job is to make and has not made, or is to make again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWindow {
    /// The job.
    pub job: String,
    /// The window.
    pub window: Window,
    /// How it stands, in words: `waits for report`.
    pub stands: String,
    /// Its deadline has passed.
    pub is_late: bool,
}

/// A run that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRun {
    /// Its id in the ledger, once it has begun.
    pub run_id: Uuid,
    /// The job.
    pub job: String,
    /// What it is to produce.
    pub window: Window,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// The run of the same window that was under way when its turn came, and that it came to.
    pub same_as: Option<Uuid>,
    /// Why it will not begin, where that is so.
    pub refused: Option<String>,
}

/// Why a run that was asked for is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// The schedule has no such job.
    NoSuchJob(String),
    /// The job does not make such a window, or not yet.
    Unsuited(String),
}

/// What the scheduler offers to those who watch it.
pub trait JobsHandle: Send + Sync {
    /// Every job of the schedule, in its order.
    fn overview(&self) -> Vec<JobOverview>;

    /// What is due, waits or is late, of the jobs that are about days.
    fn open_windows(&self) -> Vec<OpenWindow>;

    /// Has a job run for `window`, or for the one it would be about now, after what is missing before it, and does not
    /// wait for it. Whoever asks for what is asked for or under way already is told of the same run.
    ///
    /// # Errors
    /// See [`NotStarted`].
    fn start(&self, job: &str, window: Option<Window>, with_mail: bool) -> Result<AskedRun, NotStarted>;

    /// A run that was asked for and has not begun; none where no such run is.
    fn asked(&self, run_id: Uuid) -> Option<AskedRun>;

    /// What a run that is under way has logged; none where no such run is.
    fn log_so_far(&self, run_id: Uuid) -> Option<Vec<LogLine>>;
}
