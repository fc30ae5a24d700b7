//! What the scheduler asks of a job, and what it hands to it.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use anyhow::{Context, bail};
use chrono::NaiveDate;
use uuid::Uuid;

use super::plan::Reason;
use crate::domain::{run::JobStatus, window::Window};

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
    /// Raised when the run is no longer wanted; long work looks at it now and then.
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

    /// Ends the run if it is no longer wanted: `run.check()?` between steps.
    ///
    /// # Errors
    /// When it was cancelled.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.cancel.is_raised() {
            bail!("stopped between two steps");
        }
        Ok(())
    }
}

/// A flag that says a run is no longer wanted, and why.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicU8>);

/// Why a run is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    TimedOut = 1,
    Superseded = 2,
    Shutdown = 3,
}

impl Cancel {
    /// Whether the run is no longer wanted.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.why().is_some()
    }

    /// Raises the flag; the first reason stays.
    pub(super) fn raise(&self, why: Why) {
        // The flag carries no other data, and whoever raises it later has lost: no ordering needed, no result either.
        self.0
            .compare_exchange(0, why as u8, Ordering::Relaxed, Ordering::Relaxed)
            .ok();
    }

    pub(super) fn why(&self) -> Option<Why> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Why::TimedOut),
            2 => Some(Why::Superseded),
            3 => Some(Why::Shutdown),
            _ => None,
        }
    }
}
