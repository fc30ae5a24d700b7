//! Who is told of runs as they happen.

use std::time::Duration;

use super::Run;
use crate::{
    config::schedule::JobConfig,
    domain::run::{LogLine, Outcome},
};

/// Is told of every run as it begins and ends. The runner waits for it: it must not take long.
pub trait Observer: Send + Sync {
    /// A run begins.
    fn started(&self, job: &JobConfig, run: &Run);

    /// What is done at each tick failed: `what`, e.g. `run what is due by the day`.
    fn tick_failed(&self, what: &'static str);

    /// It has ended.
    fn ended(&self, job: &JobConfig, run: &Run, end: &RunEnd<'_>);
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'e> {
    /// How.
    pub outcome: Outcome,
    /// It failed, and is not tried again by itself.
    pub gave_up: bool,
    /// How long it took.
    pub took: Duration,
    /// What it logged.
    pub log: &'e [LogLine],
}
