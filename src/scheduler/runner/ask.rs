//! Runs that a person asked for.

use std::sync::{PoisonError, atomic::Ordering};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};

use super::{super::plan::Reason, Ended, Runner};
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::run::{Outcome, Window},
};

/// How a run that a person asked for is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What the ledger will say.
    pub reason: Reason,
    /// Whether what is missing upstream may include mails.
    pub mail: bool,
}

impl Runner {
    /// Runs `job` for `window`, after what is missing upstream for it; never what comes after it. When such a run is
    /// under way already, waits for that one and answers with it. The last element is `job`'s own run, unless one
    /// before it failed.
    ///
    /// # Errors
    /// When there is no such job, the window does not suit it, or the ledger cannot be written. A job's failure is not
    /// an error here.
    pub fn run_now(&self, job: &str, window: Window) -> anyhow::Result<Vec<Ended>> {
        self.run_asked(
            job,
            window,
            Asked {
                reason: Reason::Manual,
                mail: false,
            },
        )
    }

    /// [`run_now`](Self::run_now), for a reason of one's own.
    ///
    /// # Errors
    /// As [`run_now`](Self::run_now).
    pub fn run_asked(&self, job: &str, window: Window, asked: Asked) -> anyhow::Result<Vec<Ended>> {
        let schedule = self.schedule();
        let target = suited(&schedule, job, window, self.inner.clock.now())?;
        let mut ended: Vec<Ended> = Vec::new();
        for step in schedule.upstream_first(job) {
            let is_target = step.name == target.name;
            if !is_target && !self.is_missing(step, window) {
                continue;
            }
            if !is_target && matches!(step.kind, Kind::Notify { .. }) && !asked.mail {
                bail!(
                    "`{job}` comes after the mail `{}` of {window}, which has not gone out; say --with-mail to send it",
                    step.name
                );
            }
            let reason = if is_target { asked.reason } else { Reason::Upstream };
            ended.push(self.run_or_join(step, window, reason)?);
            if ended.last().is_some_and(|run| run.outcome != Outcome::Succeeded) {
                break;
            }
        }
        Ok(ended)
    }

    /// What [`run_now`](Self::run_now) would run, in order; the last is `job` itself.
    ///
    /// # Errors
    /// When there is no such job, or the window does not suit it.
    pub fn would_run(&self, job: &str, window: Window) -> anyhow::Result<Vec<JobConfig>> {
        let schedule = self.schedule();
        let target = suited(&schedule, job, window, self.inner.clock.now())?;
        let mut steps: Vec<&JobConfig> = Vec::new();
        for step in schedule.upstream_first(job) {
            let is_made_anew = |name: &String| steps.iter().any(|before| before.name == *name);
            let follows = !matches!(step.kind, Kind::Notify { .. }) && step.after.iter().any(is_made_anew);
            if step.name == target.name || follows || self.is_missing(step, window) {
                steps.push(step);
            }
        }
        Ok(steps.into_iter().cloned().collect())
    }

    /// Runs `job`, or waits for the run of the same window that is under way and takes its result.
    fn run_or_join(&self, job: &JobConfig, window: Window, reason: Reason) -> anyhow::Result<Ended> {
        loop {
            if self.inner.stopping.load(Ordering::Acquire) {
                bail!(
                    "`{}` was not started for {window}: the program is about to end",
                    job.name
                );
            }
            let busy = match self.claim(job, window, None) {
                Ok(claim) => {
                    let attempt = {
                        let state = self.lock();
                        let last = state
                            .view
                            .last(&job.name, window)
                            .filter(|last| last.outcome != Outcome::Succeeded);
                        last.map_or(1, |last| last.attempt + 1)
                    };
                    let scheduled_at = self.inner.clock.now();
                    return self.execute(job, claim, scheduled_at, attempt, reason);
                }
                Err(busy) => busy,
            };
            let mut state = self.lock();
            while state
                .running
                .get(&job.name)
                .is_some_and(|running| running.run_id == busy.run_id)
            {
                state = self.inner.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            if busy.window == window {
                let run = self.inner.store.job_run(busy.run_id)?;
                return run.map(Ended::from).with_context(|| {
                    format!(
                        "`{}` ran for {window}, but the ledger does not have run {}",
                        job.name, busy.run_id
                    )
                });
            }
        }
    }

    /// Whether `job` has to run for `window` before what comes after it can.
    fn is_missing(&self, job: &JobConfig, window: Window) -> bool {
        let state = self.lock();
        let done = |name: &str| state.view.last(name, window).and_then(|last| last.done);
        let Some(own) = done(&job.name) else { return true };
        let too_early = window
            .day()
            .is_some_and(|day| own.started_at < self.schedule().day.finished_at(day));
        let made_from_newer = job
            .after
            .iter()
            .any(|name| done(name).is_some_and(|upstream| upstream.finished_at > own.started_at));
        !matches!(job.kind, Kind::Notify { .. }) && (too_early || made_from_newer)
    }
}

/// The job of that name, if such a window is what it makes.
fn suited<'s>(schedule: &'s Schedule, job: &str, window: Window, now: DateTime<Utc>) -> anyhow::Result<&'s JobConfig> {
    let target = schedule.require(job)?;
    if window.day().is_none() && !target.is_sub_day() {
        bail!("`{job}` makes a business day: give it one, e.g. `deloton run {job} --day 2026-11-21`");
    }
    if window.day().is_some() && target.is_sub_day() {
        bail!("`{job}` runs by the instant: leave the day out, e.g. `deloton run {job}`");
    }
    // What is made of a day that goes on would say less than there is, and be taken for all of it.
    if let Some(day) = window.day().filter(|_| target.kind.needs_day()) {
        let ends_at = schedule.day.span(day).end;
        if ends_at > now {
            bail!(
                "{day} is not over yet: it ends at {}",
                ends_at.with_timezone(&schedule.day.timezone)
            );
        }
    }
    Ok(target)
}
