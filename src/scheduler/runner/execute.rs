//! One run, from its claim to its last line in the ledger.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, SendError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    super::{
        RunEnd,
        job::Run,
        plan::{Done, Due, Last, Reason},
    },
    Runner,
    state::{Idle, Running, Stage, new_run_id},
};
use crate::{
    config::schedule::JobConfig,
    domain::{
        cancel::{Cancel, Why},
        run::{JobStatus, Outcome},
        window::Window,
    },
    logging::RunLog,
    store::{
        self,
        ledger::{JobRun, NewRun},
    },
};

/// The end of a run that cannot be written down is tried again this often at least.
const MOST_WAIT: Duration = Duration::from_secs(5);

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// Its id in the ledger.
    pub run_id: Uuid,
    /// The job.
    pub job: String,
    /// The window's key.
    pub window: String,
    /// Which try it was.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in counts by name.
    pub counts: serde_json::Value,
    /// Why it failed, the whole chain.
    pub error: Option<String>,
}

impl From<JobRun> for Ended {
    fn from(run: JobRun) -> Self {
        Ended {
            run_id: run.run_id,
            job: run.job,
            window: run.window,
            attempt: run.attempt,
            outcome: run.outcome,
            counts: run.counts.unwrap_or_else(|| serde_json::json!({})),
            error: run.error,
        }
    }
}

/// The right to run a job for a window; nobody else runs the job meanwhile.
pub(super) struct Claim {
    run_id: Uuid,
    window: Window,
    cancel: Cancel,
    log: RunLog,
}

/// Why a job could not be taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unclaimed {
    /// This run has it.
    Busy { run_id: Uuid, window: Window },
    /// It was run for the window since that was planned.
    Done,
    /// The program is about to end.
    Stopping,
}

impl Runner {
    /// Takes the job, unless it runs, or unless its window was run since it was planned, where it was; nothing is taken once
    /// the program is about to end. The run has the id `run_id`, or a new one.
    pub(super) fn claim(
        &self,
        job: &JobConfig,
        window: Window,
        planned_at: Option<u64>,
        run_id: Option<Uuid>,
    ) -> Result<Claim, Unclaimed> {
        let mut state = self.lock();
        // Under the lock: what stops the program waits for what is under way, and nothing may slip in after it has looked.
        if self.inner.stopping.load(Ordering::Acquire) {
            return Err(Unclaimed::Stopping);
        }
        if let Some(running) = state.running.get(&job.name) {
            return Err(Unclaimed::Busy {
                run_id: running.run_id,
                window: running.window,
            });
        }
        let begun = state
            .begun
            .get(&(job.name.clone(), window))
            .copied()
            .unwrap_or_default();
        if planned_at.is_some_and(|planned_at| begun > planned_at) {
            return Err(Unclaimed::Done);
        }
        let started_at = self.inner.clock.now();
        let run_id = run_id.unwrap_or_else(|| new_run_id(started_at));
        state.version += 1;
        state.disturb(window);
        let version = state.version;
        state.begun.insert((job.name.clone(), window), version);
        let (cancel, log) = (Cancel::default(), RunLog::new(self.inner.clock));
        let running = Running {
            run_id,
            window,
            cancel: cancel.clone(),
            log: log.clone(),
            is_planned: planned_at.is_some(),
            started_at,
            stage: Stage::Runs,
        };
        state.running.insert(job.name.clone(), running);
        Ok(Claim {
            run_id,
            window,
            cancel,
            log,
        })
    }

    /// Runs the job and writes down that it began and how it ended. Of jobs that look every few seconds whether there is
    /// something to do, that is written when they found something: killed before, they leave no row, and look again.
    pub(super) fn execute(
        &self,
        job: &JobConfig,
        claim: Claim,
        scheduled_at: DateTime<Utc>,
        attempt: u32,
        reason: Reason,
    ) -> anyhow::Result<Ended> {
        self.run_claimed(job, &claim, scheduled_at, attempt, reason)
    }

    /// Runs the job and lets others run it again, whatever happens.
    fn run_claimed(
        &self,
        job: &JobConfig,
        claim: &Claim,
        scheduled_at: DateTime<Utc>,
        attempt: u32,
        reason: Reason,
    ) -> anyhow::Result<Ended> {
        let run = || self.execute_claimed(job, claim, scheduled_at, attempt, reason);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let (job, why) = (&job.name, panic_text(&*panic));
            Err(anyhow::anyhow!(
                "the run of `{job}` was given up: its bookkeeping panicked: {why}"
            ))
        });
        self.release(&job.name, claim);
        result
    }

    /// [`execute`](Self::execute) on a thread of its own, which tells `sender` how it ended.
    pub(super) fn spawn(
        &self,
        job: JobConfig,
        claim: Claim,
        due: Due,
        sender: Sender<anyhow::Result<Ended>>,
    ) -> anyhow::Result<()> {
        let claim = Arc::new(claim);
        let (runner, claimed, name) = (self.clone(), Arc::clone(&claim), job.name.clone());
        let run = move || {
            let result = runner.run_claimed(&job, &claimed, due.scheduled_at, due.attempt, due.reason);
            if let Err(SendError(Err(error))) = sender.send(result) {
                // Whoever began it has met such an error itself, and does not wait any more.
                tracing::error!(
                    job.name = job.name,
                    "a run of `{}` cannot be written down: {error:#}",
                    job.name
                );
            }
        };
        let spawned = thread::Builder::new().name(name.clone()).spawn(run);
        spawned.map(drop).map_err(|error| {
            self.release(&name, &claim);
            anyhow::Error::new(error).context("cannot start a thread for the job")
        })
    }

    /// Lets others run the job again, unless the run goes on though it was given up.
    fn release(&self, job: &str, claim: &Claim) {
        let mut state = self.lock();
        state.disturb(claim.window);
        if let Some(running) = state
            .running
            .get_mut(job)
            .filter(|running| running.run_id == claim.run_id)
        {
            if running.stage == Stage::GivenUp {
                running.stage = Stage::Stuck;
            } else {
                state.running.remove(job);
            }
        }
        drop(state);
        self.inner.ended.notify_all();
    }

    fn execute_claimed(
        &self,
        job: &JobConfig,
        claim: &Claim,
        scheduled_at: DateTime<Utc>,
        attempt: u32,
        reason: Reason,
    ) -> anyhow::Result<Ended> {
        let Claim { run_id, window, .. } = *claim;
        let by_instant = window.instant().is_some();
        let is_counted_if_idle = by_instant && job.kind.is_often_idle() && !reason.is_asked();
        let _hearing = claim.log.hear();
        let (started_at, before) = {
            let mut state = self.lock();
            let started_at = state.stamp(self.inner.clock.now());
            let history = state.history(&job.name, started_at);
            let before = history.windows.get(&window).cloned();
            let is_firing = reason.is_firing() || before.as_ref().is_some_and(|last| last.is_firing);
            let done = before.as_ref().and_then(|last| last.done);
            let failures = before.as_ref().filter(|_| attempt > 1).map_or(0, |last| last.failures);
            let outcome = Outcome::Running;
            history.windows.insert(
                window,
                Last {
                    attempt,
                    failures,
                    outcome,
                    scheduled_at,
                    started_at,
                    finished_at: None,
                    is_firing,
                    done,
                },
            );
            (started_at, before)
        };
        let new = NewRun {
            run_id,
            job: &job.name,
            window,
            attempt,
            reason: reason.name(),
            scheduled_at,
            started_at,
        };
        if by_instant {
            tracing::debug!(job.name, job.window = %window, run.id = %run_id, "`{}` started", job.name);
        } else {
            tracing::info!(
                job.name, job.window = %window, run.id = %run_id, run.attempt = attempt, run.reason = reason.name(),
                "`{}` started for {window}", job.name
            );
        }
        if !is_counted_if_idle {
            if let Err(error) = self.inner.store.start_run(new) {
                self.take_back(job, window, before);
                return Err(error.into());
            }
            // Not earlier: whoever asked for it finds it there or here.
            self.lock().awaited.retain(|awaited| awaited.run_id != run_id);
        }

        let run = Run {
            window,
            run_id,
            reason,
            attempt,
            cancel: claim.cancel.clone(),
        };
        if let Some(observer) = self.inner.observer.get() {
            observer.started(job, &run);
        }
        let clock = Instant::now();
        let result = self.call(job, run.clone(), &claim.log);
        let took = clock.elapsed();

        let idle = is_counted_if_idle && result.as_ref().is_ok_and(|status| status.nothing_to_do);
        let finished_at = self.lock().stamp(self.inner.clock.now());
        let (outcome, counts, error) = match &result {
            Ok(status) => (Outcome::Succeeded, serde_json::json!(status.counts), None),
            Err(error) if claim.cancel.why() == Some(Why::Shutdown) => (
                Outcome::Abandoned,
                serde_json::json!({}),
                Some(format!("stopped as the program ends: {error:#}")),
            ),
            Err(error) => (Outcome::Failed, serde_json::json!({}), Some(format!("{error:#}"))),
        };
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if idle {
            tracing::debug!(job.name, job.window = %window, "`{}` found nothing to do", job.name);
        } else if let Some(error) = &error {
            tracing::error!(
                job.name, job.window = %window, run.id = %run_id, run.attempt = attempt, duration_ms,
                "`{}` failed for {window}: {error}", job.name
            );
        } else {
            tracing::info!(
                job.name, job.window = %window, run.id = %run_id, duration_ms, counts = %counts,
                "`{}` done for {window}", job.name
            );
        }

        let log = claim.log.lines();
        // The ledger first: what the view says must have been written, and nobody must hear of what was not.
        if !idle {
            let end = || match &result {
                Ok(status) => Ok(status),
                Err(_) => Err((outcome, error.as_deref().unwrap_or_default())),
            };
            let mut unwritten = Some(new).filter(|_| is_counted_if_idle);
            self.write_down(job, window, || {
                let store = &self.inner.store;
                if let Some(new) = unwritten {
                    store.start_run(new)?;
                    unwritten = None;
                }
                store.finish_run(run_id, finished_at, end())?;
                store.keep_run_log(run_id, &log)
            })?;
        }
        let mut state = self.lock();
        let failures = state.view.last(&job.name, window).map_or(0, |last| last.failures);
        let failures = failures + u32::from(outcome == Outcome::Failed);
        if let Some(observer) = self.inner.observer.get() {
            drop(state);
            let end = RunEnd {
                outcome,
                gave_up: outcome == Outcome::Failed && failures > job.retries,
                took,
                log: &log,
            };
            observer.ended(job, &run, &end);
            state = self.lock();
        }
        let last_idle_at = idle.then(|| window.instant());
        let history = state.history(&job.name, started_at);
        if reason.is_firing() {
            history.answered = window.instant().or(history.answered);
        }
        if let Some(at) = last_idle_at {
            history.windows.remove(&window);
            history.last_idle_at = history.last_idle_at.max(at);
            history.idle_runs += 1;
        } else if let Some(last) = history.windows.get_mut(&window) {
            last.outcome = outcome;
            last.finished_at = Some(finished_at);
            last.failures = failures;
            if outcome == Outcome::Succeeded {
                last.done = Some(Done {
                    started_at,
                    finished_at,
                });
            }
            if let Some(forgotten) = history.forget_old_instants() {
                state.begun.remove(&(job.name.clone(), forgotten));
            }
        }
        if let Some(last_at) = last_idle_at.flatten() {
            state.begun.remove(&(job.name.clone(), window));
            let fresh = || Idle {
                runs: 0,
                last_at,
                written_at: finished_at,
            };
            let count = state.idle.entry(job.name.clone()).or_insert_with(fresh);
            count.runs += 1;
            count.last_at = count.last_at.max(last_at);
        }
        drop(state);
        Ok(Ended {
            run_id,
            job: job.name.clone(),
            window: window.to_string(),
            attempt,
            outcome,
            counts,
            error,
        })
    }

    /// Has the end of a run written, and tries again until it is: meanwhile the run is not over for anybody, and nothing goes
    /// on from it.
    fn write_down(
        &self,
        job: &JobConfig,
        window: Window,
        mut write: impl FnMut() -> store::Result<()>,
    ) -> anyhow::Result<()> {
        let mut wait = Duration::from_millis(100);
        let mut is_told = false;
        while let Err(error) = write() {
            if self.inner.stopping.load(Ordering::Acquire) {
                return Err(error.into());
            }
            if !is_told {
                let error = anyhow::Error::new(error);
                tracing::error!(
                    job.name, job.window = %window,
                    "`{}` ended for {window}, and that cannot be written down; tried again until it can: {error:#}", job.name
                );
                is_told = true;
            }
            thread::sleep(wait);
            wait = (wait * 2).min(MOST_WAIT);
        }
        Ok(())
    }

    /// The job's answer; a panic and a run that takes too long are failures.
    fn call(&self, job: &JobConfig, run: Run, log: &RunLog) -> anyhow::Result<JobStatus> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = self.programme().jobs.get(&job.name).cloned();
        let work = work.with_context(|| format!("cron.toml has no job `{}` any more", job.name))?;
        let log = log.clone();
        let (cancel, run_id, name) = (run.cancel.clone(), run.run_id, job.name.clone());
        let runner = self.clone();
        let spawned = thread::Builder::new().name(job.name.clone()).spawn(move || {
            let _hearing = log.hear();
            let answer = catch_unwind(AssertUnwindSafe(|| work.run(&run)));
            let answer =
                answer.unwrap_or_else(|panic| Err(anyhow::anyhow!("the job panicked: {}", panic_text(&*panic))));
            // The receiver is gone when the run was given up; the answer is of no use then.
            sender.send(answer).ok();
            runner.free_if_stuck(&name, run_id);
        });
        spawned.map_err(|error| anyhow::Error::new(error).context("cannot start a thread for the job"))?;

        let mut is_cancelled = false;
        let mut patience = Instant::now() + job.timeout;
        let answer = loop {
            // Woken now and then, as someone else may cancel the run.
            let slice = patience
                .saturating_duration_since(Instant::now())
                .min(Duration::from_millis(100));
            match receiver.recv_timeout(slice) {
                Ok(answer) => break Some(answer),
                Err(mpsc::RecvTimeoutError::Disconnected) => break None,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if is_cancelled {
                cancel.interrupt();
            }
            if !is_cancelled && cancel.is_raised() {
                is_cancelled = true;
                patience = Instant::now() + self.inner.options.cancel_grace;
            } else if Instant::now() >= patience && !is_cancelled {
                cancel.raise(Why::TimedOut);
                is_cancelled = true;
                patience = Instant::now() + self.inner.options.cancel_grace;
            } else if Instant::now() >= patience {
                break self.give_up(&job.name, run_id, &receiver);
            }
        };
        let why = match cancel.why() {
            Some(Why::TimedOut) => format!("took longer than its timeout of {}", duration_text(job.timeout)),
            Some(Why::Superseded) => "cancelled: its next firing came".to_owned(),
            Some(Why::Shutdown) => "cancelled at shutdown".to_owned(),
            None => String::new(),
        };
        match answer {
            Some(Err(error)) if !why.is_empty() => Err(error.context(why)),
            Some(answer) => answer,
            None => Err(anyhow::anyhow!(
                "{why} and did not stop when told to; not started again before it ends"
            )),
        }
    }

    /// Stops waiting for a run that does not end, unless its answer has just come.
    fn give_up(
        &self,
        job: &str,
        run_id: Uuid,
        receiver: &mpsc::Receiver<anyhow::Result<JobStatus>>,
    ) -> Option<anyhow::Result<JobStatus>> {
        let mut state = self.lock();
        let answer = receiver.try_recv().ok();
        if answer.is_none()
            && let Some(running) = state.running.get_mut(job).filter(|running| running.run_id == run_id)
        {
            running.stage = Stage::GivenUp;
        }
        answer
    }

    /// The job is free again when a run that was given up has ended after all.
    fn free_if_stuck(&self, job: &str, run_id: Uuid) {
        let mut state = self.lock();
        let Some(running) = state.running.get_mut(job).filter(|running| running.run_id == run_id) else {
            return;
        };
        if running.stage == Stage::GivenUp {
            // That it failed is still being written; then it is free.
            running.stage = Stage::Runs;
        } else if running.stage == Stage::Stuck {
            state.running.remove(job);
            drop(state);
            if !self.inner.stopping.load(Ordering::Acquire) {
                tracing::warn!(job.name = job, run.id = %run_id, "`{job}` has ended at last; it was given up before");
            }
            self.inner.ended.notify_all();
        }
    }

    /// The window's state before a run that could not even begin.
    fn take_back(&self, job: &JobConfig, window: Window, before: Option<Last>) {
        let mut state = self.lock();
        if let Some(history) = state.view.jobs.get_mut(&job.name) {
            match before {
                Some(last) => history.windows.insert(window, last),
                None => history.windows.remove(&window),
            };
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
