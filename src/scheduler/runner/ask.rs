//! Runs that a person asked for.

use std::sync::PoisonError;

use super::{super::plan::Reason, Ended, Runner, execute::Unclaimed};
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::{run::Outcome, window::Window},
};
use anyhow::{Context, bail};
use uuid::Uuid;

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
        self.run_as(job, window, asked, None)
    }

    /// [`run_asked`](Self::run_asked), with the id that the run of `job` itself is to have.
    pub(super) fn run_as(
        &self,
        job: &str,
        window: Window,
        asked: Asked,
        run_id: Option<Uuid>,
    ) -> anyhow::Result<Vec<Ended>> {
        let schedule = self.schedule();
        let window = self.window(job, Some(window))?;
        let mut ended: Vec<Ended> = Vec::new();
        for Step {
            job: step,
            window,
            is_target,
        } in self.steps(&schedule, job, window)?
        {
            if !is_target && !self.is_missing(&schedule, step, window)? {
                continue;
            }
            if !is_target && matches!(step.kind, Kind::Notify { .. }) && !asked.mail {
                bail!(
                    "`{job}` comes after the mail `{}` of {window}, which has not gone out; say --with-mail to send it",
                    step.name
                );
            }
            let reason = if is_target { asked.reason } else { Reason::Upstream };
            let run_id = run_id.filter(|_| is_target);
            ended.push(self.run_or_join(step, window, reason, run_id)?);
            if ended.last().is_some_and(|run| run.outcome != Outcome::Succeeded) {
                break;
            }
        }
        Ok(ended)
    }

    /// What [`run_now`](Self::run_now) would run, in order; the last is `job` itself.
    ///
    /// # Errors
    /// As [`run_now`](Self::run_now).
    pub fn would_run(&self, job: &str, window: Window) -> anyhow::Result<Vec<(JobConfig, Window)>> {
        let schedule = self.schedule();
        let window = self.window(job, Some(window))?;
        let mut would: Vec<(&JobConfig, Window)> = Vec::new();
        for Step {
            job: step,
            window,
            is_target,
        } in self.steps(&schedule, job, window)?
        {
            let is_made_anew = |name: &String| {
                let mut before = would.iter().filter(|(before, _)| before.name == *name);
                before.any(|(before, made)| window.parts(before.every).any(|part| part == *made))
            };
            let follows = !matches!(step.kind, Kind::Notify { .. }) && step.after.iter().any(is_made_anew);
            if is_target || follows || self.is_missing(&schedule, step, window)? {
                would.push((step, window));
            }
        }
        Ok(would.into_iter().map(|(job, window)| (job.clone(), window)).collect())
    }

    /// The window of `job` that `asked` means; when nobody says, the last finished day, week or month, or now.
    ///
    /// # Errors
    /// When there is no such job, the window does not suit it, or is not over.
    pub fn window(&self, job: &str, asked: Option<Window>) -> anyhow::Result<Window> {
        let schedule = self.schedule();
        let (now, target) = (self.inner.clock.now(), schedule.require(job)?);
        let Some(asked) = asked else {
            let day = schedule.day.last_finished(now);
            let is_sub_day = target.is_sub_day();
            return Ok(if is_sub_day {
                Window::Instant(now)
            } else {
                target.every.last_over(day)
            });
        };
        let Some(window) = target.window_of(asked) else {
            if target.is_sub_day() {
                bail!("`{job}` runs by the instant: leave the day out, e.g. `deloton run {job}`");
            }
            let (made, day) = (target.every.name(), schedule.day.last_finished(now));
            let example = target.every.last_over(day);
            bail!("`{job}` makes {made}s: give it one, e.g. `deloton run {job} --day {example}`");
        };
        let begins_at = match window {
            Window::Instant(at) => at,
            Window::Day(_) | Window::Week(_) | Window::Month(_) => {
                let (first, _) = window.span().expect("all but instants have days");
                schedule.day.span(first).start
            }
        };
        if begins_at > now {
            bail!("`{job}` cannot run for {window}: that is to come");
        }
        // What is made of a day that goes on would say less than there is, and be taken for all of it.
        if let Some((_, last)) = window.span().filter(|_| target.kind.needs_day()) {
            let ends_at = schedule.day.span(last).end;
            if ends_at > now {
                let ends_at = ends_at.with_timezone(&schedule.day.timezone);
                bail!("{window} is not over yet: it ends at {ends_at}");
            }
        }
        Ok(window)
    }

    /// What `window` of `job` needs, nearest to the source first; `job` itself is last. Of the days of a longer window those
    /// that have rides, or of which something was made: the others stay missing.
    fn steps<'s>(&self, schedule: &'s Schedule, job: &str, window: Window) -> anyhow::Result<Vec<Step<'s>>> {
        let every = schedule.require(job)?.every;
        let (same, of_days): (Vec<_>, Vec<_>) = schedule
            .upstream_first(job)
            .into_iter()
            .partition(|step| step.every == every);
        let mut steps = Vec::new();
        if !of_days.is_empty() {
            let days_with_rows = self.inner.store.days_with_rows()?;
            let state = self.lock();
            let was_made = |day| of_days.iter().any(|step| state.view.last(&step.name, day).is_some());
            let days = window
                .days()
                .filter(|day| days_with_rows.contains(day) || was_made(Window::Day(*day)));
            for day in days.map(Window::Day) {
                steps.extend(of_days.iter().map(|&job| Step {
                    job,
                    window: day,
                    is_target: false,
                }));
            }
        }
        steps.extend(same.into_iter().map(|step| Step {
            job: step,
            window,
            is_target: step.name == job,
        }));
        Ok(steps)
    }

    /// Runs `job`, or waits for the run of the same window that is under way and takes its result.
    fn run_or_join(
        &self,
        job: &JobConfig,
        window: Window,
        reason: Reason,
        run_id: Option<Uuid>,
    ) -> anyhow::Result<Ended> {
        loop {
            let (busy_id, busy_window) = match self.claim(job, window, None, run_id) {
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
                Err(Unclaimed::Busy { run_id, window }) => (run_id, window),
                // Nobody planned this.
                Err(Unclaimed::Done) => continue,
                Err(Unclaimed::Stopping) => bail!(
                    "`{}` was not started for {window}: the program is about to end",
                    job.name
                ),
            };
            let mut state = self.lock();
            while state
                .running
                .get(&job.name)
                .is_some_and(|running| running.run_id == busy_id)
            {
                state = self.inner.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            if busy_window == window {
                let run = self.inner.store.job_run(busy_id)?;
                return run.map(Ended::from).with_context(|| {
                    format!(
                        "`{}` ran for {window}, but the ledger does not have run {}",
                        job.name, busy_id
                    )
                });
            }
        }
    }

    /// Whether `job` has to run for `window` before what comes after it can.
    fn is_missing(&self, schedule: &Schedule, job: &JobConfig, window: Window) -> anyhow::Result<bool> {
        if job.kind == Kind::Compact {
            // Rides that came in after the day was sealed are in no result until it is sealed again.
            let late_days = self.inner.store.late_days()?;
            if window.days().any(|day| late_days.contains(&day)) {
                return Ok(true);
            }
        }
        let state = self.lock();
        let done = |name: &str, window| state.view.last(name, window).and_then(|last| last.done);
        let Some(own) = done(&job.name, window) else {
            return Ok(true);
        };
        let too_early = window
            .span()
            .is_some_and(|(_, last)| own.started_at < schedule.day.finished_at(last));
        let mut upstream = job.after.iter().filter_map(|name| schedule.job(name));
        let made_from_newer = upstream.any(|upstream| {
            let mut made = window
                .parts(upstream.every)
                .filter_map(|part| done(&upstream.name, part));
            made.any(|made| made.finished_at > own.started_at)
        });
        Ok(!matches!(job.kind, Kind::Notify { .. }) && (too_early || made_from_newer))
    }
}

/// One run that a person's wish comes down to.
struct Step<'s> {
    job: &'s JobConfig,
    window: Window,
    /// It is the run that was asked for, rather than one before it.
    is_target: bool,
}
