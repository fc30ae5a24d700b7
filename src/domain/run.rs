//! What the scheduler hands to a job and what it gets back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// A job as the schedule has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobOverview {
    /// The job's name in `cron.toml`.
    pub name: String,
    /// Its kind, e.g. `compact`, `transform`.
    pub kind: String,
    /// When it will next be due by the clock; none where it only follows other jobs.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The newest firing that found nothing to do; it is no run.
    pub last_idle_at: Option<DateTime<Utc>>,
}

/// What the scheduler offers to those who watch it.
pub trait JobsHandle: Send + Sync {
    /// Every job of the schedule, in its order.
    fn overview(&self) -> Vec<JobOverview>;

    /// What a run that is under way has logged; none where no such run is.
    fn log_so_far(&self, run_id: Uuid) -> Option<Vec<LogLine>>;
}
