//! What the scheduler asks of a job, and what it hands to it.

use anyhow::Context;
use chrono::NaiveDate;
use uuid::Uuid;

use super::plan::Reason;
use crate::domain::{cancel::Cancel, run::JobStatus, window::Window};

/// Something that can be run for a window. It gets the window and answers with a status; it never asks what time it
/// is, and it blocks: the runner gives it a thread of its own.
///
/// Running the same window again replaces what it made. A closure is a job:
/// `Arc::new(|run: &Run| Ok(JobStatus::done())) as Arc<dyn Job>`.
pub trait Job: Send + Sync {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not be done; the whole chain goes into the ledger.
    fn run(&self, run: &Run) -> anyhow::Result<JobStatus>;
}

impl<F: Fn(&Run) -> anyhow::Result<JobStatus> + Send + Sync> Job for F {
    fn run(&self, run: &Run) -> anyhow::Result<JobStatus> {
        self(run)
    }
}

/// One run of a job.
#[derive(Debug, Clone)]
pub struct Run {
    /// What to produce.
    pub window: Window,
    /// The run's id in the ledger.
    pub run_id: Uuid,
    /// Why it runs.
    pub reason: Reason,
    /// Counted from 1.
    pub attempt: u32,
    /// Raised when the run is no longer wanted: long work looks at it between its steps, and lets it interrupt a long one.
    pub cancel: Cancel,
}

impl Run {
    /// The day to produce.
    ///
    /// # Errors
    /// When the run is about something else: a job that needs a day was called without one.
    pub fn day(&self) -> anyhow::Result<NaiveDate> {
        self.window
            .day()
            .with_context(|| format!("this job makes a business day, and {} is none", self.window))
    }
}
