//! What others hear of runs: the metrics, and the dead-man's switches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    config::schedule::JobConfig,
    domain::run::{LogLine, Outcome},
    export::ping::{Pings, Signal},
    metrics::Metrics,
    scheduler::{Observer, Run, RunEnd},
};

/// Of a job that runs by the second, a switch need not hear more often that all is well.
const WELL_EVERY: Duration = Duration::from_secs(60);

/// Counts runs, and pings the dead-man's switches of their jobs.
pub(super) struct Observed {
    pub(super) metrics: Metrics,
    pub(super) pings: Arc<Pings>,
    /// When the switch of a job that runs by the instant last heard that all is well.
    pub(super) well: Mutex<HashMap<String, Instant>>,
}

impl Observer for Observed {
    fn started(&self, job: &JobConfig, run: &Run) {
        if run.window.instant().is_none()
            && is_watched(run)
            && let Some(url) = job.ping_url()
        {
            self.pings.send(&job.name, &url, Signal::Start, run.run_id, "");
        }
    }

    fn tick_failed(&self, what: &'static str) {
        self.metrics.tick_failed(what);
    }

    fn ended(&self, job: &JobConfig, run: &Run, end: &RunEnd<'_>) {
        self.metrics.job_ended(&job.name, end.outcome, end.took);
        let Some(url) = job.ping_url().filter(|_| is_watched(run)) else {
            return;
        };
        let signal = match end.outcome {
            Outcome::Succeeded => Signal::Success,
            Outcome::Failed if end.gave_up => Signal::Fail,
            // It is due again.
            Outcome::Failed | Outcome::Abandoned | Outcome::Running => Signal::Log,
        };
        if run.window.instant().is_some() && !self.is_news(&job.name, signal) {
            return;
        }
        self.pings.send(&job.name, &url, signal, run.run_id, &text(end.log));
    }
}

/// A switch watches that the schedule is kept. What people run by hand, or what that has to run first, says nothing of it:
/// a success would hide that the next run by itself is missing.
fn is_watched(run: &Run) -> bool {
    !run.reason.is_asked()
}

impl Observed {
    /// Whether the switch of a job that runs by the instant is to hear this.
    fn is_news(&self, job: &str, signal: Signal) -> bool {
        let mut well = self.well.lock().unwrap_or_else(PoisonError::into_inner);
        if signal != Signal::Success {
            well.remove(job);
            return true;
        }
        let is_fresh = well.get(job).is_some_and(|at| at.elapsed() < WELL_EVERY);
        if !is_fresh {
            well.insert(job.to_owned(), Instant::now());
        }
        !is_fresh
    }
}

fn text(log: &[LogLine]) -> String {
    let line = |line: &LogLine| {
        format!(
            "{} {} {}\n",
            line.at.format("%Y-%m-%dT%H:%M:%SZ"),
            line.level,
            line.message
        )
    };
    log.iter().map(line).collect()
}
