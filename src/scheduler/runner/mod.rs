//! Runs what is due, one run of a job at a time, and writes the ledger.

mod execute;
mod state;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use self::state::State;
pub use self::execute::Ended;
use super::{
    Job,
    job::Why,
    plan::{Due, LedgerView, Plan, Reason, Stream, next_run, plan},
};
use crate::{
    clock::Clock,
    config::schedule::{JobConfig, Kind, Overlap, Schedule},
    domain::run::{Outcome, Window},
    store::Store,
};

/// A firing older than this when we look at the clock again was missed: the machine slept.
const ASLEEP: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// How the runner behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Jobs about days that run at the same time. Jobs that run by the instant never wait for these.
    pub concurrency: usize,
    /// How long a cancelled run may take to notice.
    pub cancel_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { concurrency: 1, cancel_grace: Duration::from_secs(10) }
    }
}

/// Which jobs a tick looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those about days.
    Day,
    /// Those that run by the instant.
    Instant,
}

/// Runs jobs. Cheap to clone; every clone is the same runner. All its calls block: from async code they are made on a
/// blocking thread.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    schedule: Schedule,
    store: Store,
    clock: Clock,
    jobs: BTreeMap<String, Arc<dyn Job>>,
    stream: Box<dyn Fn() -> Stream + Send + Sync>,
    options: Options,
    state: Mutex<State>,
    /// Signalled whenever a run has ended.
    ended: Condvar,
    stopping: AtomicBool,
}

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobOverview {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
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
}

/// A job's latest run as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastOverview {
    /// Its window.
    pub window: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Which try it was.
    pub attempt: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How a run that a person asked for is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What the ledger will say.
    pub reason: Reason,
    /// Whether what is missing upstream may include mails.
    pub mail: bool,
}

impl Runner {
    /// A runner over the ledger in `store`. `jobs` has what to run for each name in the schedule; `stream` says how far
    /// ingest has read. Runs that a crash cut short are marked abandoned and become due again.
    ///
    /// # Errors
    /// When a job of the schedule has nothing to run, or the ledger cannot be read.
    pub fn new(
        schedule: Schedule,
        store: Store,
        clock: Clock,
        jobs: BTreeMap<String, Arc<dyn Job>>,
        stream: impl Fn() -> Stream + Send + Sync + 'static,
        options: Options,
    ) -> anyhow::Result<Self> {
        if let Some(job) = schedule.jobs.iter().find(|job| !jobs.contains_key(&job.name)) {
            bail!("cron.toml has a job `{}` of kind `{}` that nothing was made for", job.name, job.kind.name());
        }
        let now = clock.now();
        let abandoned = store.abandon_runs(now)?;
        if abandoned > 0 {
            tracing::warn!(runs = abandoned, "runs were cut short when the program ended; they are due again");
        }
        store.see_jobs(schedule.jobs.iter().filter(|job| job.enabled).map(|job| job.name.as_str()), now)?;
        let view = LedgerView::new(store.job_rows()?, store.last_runs()?, now);
        let inner = Inner {
            schedule,
            store,
            clock,
            jobs,
            stream: Box::new(stream),
            options,
            state: Mutex::new(State::new(view, now)),
            ended: Condvar::new(),
            stopping: AtomicBool::new(false),
        };
        Ok(Runner { inner: Arc::new(inner) })
    }

    /// The schedule it goes by.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.inner.schedule
    }

    /// The clock it goes by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// What has been done, and since when we are up.
    ///
    /// # Errors
    /// When the store cannot say which days have rows.
    pub fn view(&self) -> anyhow::Result<LedgerView> {
        let mut view = self.lock().view.clone();
        (view.days_with_rows, view.late_days) = self.days()?;
        Ok(view)
    }

    /// What is due and what waits, now.
    ///
    /// # Errors
    /// When the store cannot say which days have rows.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let days = self.days()?;
        let mut state = self.lock();
        (state.view.days_with_rows, state.view.late_days) = days;
        Ok(plan(&self.inner.schedule, &state.view, (self.inner.stream)(), self.inner.clock.now()))
    }

    /// How far ingest has read.
    #[must_use]
    pub fn stream(&self) -> Stream {
        (self.inner.stream)()
    }

    /// Runs everything that is due, and what becomes due by that, until nothing is. Says how the runs ended.
    ///
    /// # Errors
    /// When the ledger cannot be read or written. A job's failure is not an error here: it is in the ledger.
    pub fn tick(&self) -> anyhow::Result<Vec<Ended>> {
        std::thread::scope(|scope| {
            let instants = scope.spawn(|| self.tick_lane(Lane::Instant));
            let mut ended = self.tick_lane(Lane::Day)?;
            ended.extend(instants.join().expect("a lane catches the panics of its jobs")?);
            Ok(ended)
        })
    }

    /// [`tick`](Self::tick) for one lane: the other does not wait for it.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub fn tick_lane(&self, lane: Lane) -> anyhow::Result<Vec<Ended>> {
        self.wake()?;
        let mut tried = HashSet::new();
        let mut ended = Vec::new();
        loop {
            let mut batch = self.batch(lane)?;
            // Should a job stay due whatever it answers, it is for the next tick.
            batch.retain(|due| tried.insert((due.job.clone(), due.window, due.attempt)));
            if batch.is_empty() {
                return Ok(ended);
            }
            ended.extend(self.run_batch(lane, batch)?);
        }
    }

    /// Runs `job` for `window`, after what is missing upstream for it; never what comes after it. When such a run is
    /// under way already, waits for that one and answers with it. The last element is `job`'s own run, unless one
    /// before it failed.
    ///
    /// # Errors
    /// When there is no such job, the window does not suit it, or the ledger cannot be written. A job's failure is not
    /// an error here.
    pub fn run_now(&self, job: &str, window: Window) -> anyhow::Result<Vec<Ended>> {
        self.run_asked(job, window, Asked { reason: Reason::Manual, mail: false })
    }

    /// [`run_now`](Self::run_now), for a reason of one's own.
    ///
    /// # Errors
    /// As [`run_now`](Self::run_now).
    pub fn run_asked(&self, job: &str, window: Window, asked: Asked) -> anyhow::Result<Vec<Ended>> {
        let target = self.inner.schedule.require(job)?;
        if window.day().is_none() && !target.is_sub_day() {
            bail!("`{job}` makes a business day: give it one, e.g. `deloton run {job} --day 2026-11-21`");
        }
        if window.day().is_some() && target.is_sub_day() {
            bail!("`{job}` runs by the instant: leave the day out, e.g. `deloton run {job}`");
        }
        let mut ended: Vec<Ended> = Vec::new();
        for step in self.inner.schedule.upstream_first(job) {
            let is_target = step.name == target.name;
            if !is_target && !self.is_missing(step, window) {
                continue;
            }
            if !is_target && matches!(step.kind, Kind::Notify) && !asked.mail {
                bail!("`{job}` comes after the mail `{}` of {window}, which has not gone out; say --mail to send it", step.name);
            }
            let reason = if is_target { asked.reason } else { Reason::Upstream };
            ended.push(self.run_or_join(step, window, reason)?);
            if ended.last().is_some_and(|run| run.outcome != Outcome::Succeeded) {
                break;
            }
        }
        Ok(ended)
    }

    /// The window that `job` is about when nobody says: the last finished day, or now.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn default_window(&self, job: &str) -> anyhow::Result<Window> {
        let now = self.inner.clock.now();
        let job = self.inner.schedule.require(job)?;
        let day = self.inner.schedule.day.last_finished(now);
        Ok(if job.is_sub_day() { Window::Instant(now) } else { Window::Day(day) })
    }

    /// Every job: what it is, what it did last, when it runs next.
    #[must_use]
    pub fn overview(&self) -> Vec<JobOverview> {
        let now = self.inner.clock.now();
        let state = self.lock();
        let overview = |job: &JobConfig| {
            let history = state.view.jobs.get(&job.name);
            let newest = history.and_then(|history| history.windows.iter().max_by_key(|(_, last)| last.started_at));
            JobOverview {
                name: job.name.clone(),
                kind: job.kind.name(),
                when: job.when(),
                enabled: job.enabled,
                next_run_at: next_run(&self.inner.schedule, job, now),
                running: state.running.get(&job.name).map(|running| running.window.to_string()),
                last_run: newest.map(|(window, last)| LastOverview {
                    window: window.to_string(),
                    outcome: last.outcome,
                    attempt: last.attempt,
                    started_at: last.started_at,
                    finished_at: last.finished_at,
                }),
                last_idle_at: history.and_then(|history| history.last_idle_at),
            }
        };
        self.inner.schedule.jobs.iter().map(overview).collect()
    }

    /// Starts nothing more, waits up to `limit` for what runs, then cancels it. Says how many runs did not end even
    /// then; the ledger will call those abandoned.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn stop(&self, limit: Duration) -> anyhow::Result<usize> {
        self.inner.stopping.store(true, Ordering::Release);
        if self.wait_until_idle(limit) > 0 {
            for running in self.lock().running.values() {
                running.cancel.raise(Why::Shutdown);
            }
        }
        let left = self.wait_until_idle(self.inner.options.cancel_grace);
        self.write_idle_counts()?;
        Ok(left)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock: a panic elsewhere changes nothing about what it protects.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn days(&self) -> anyhow::Result<(std::collections::BTreeSet<NaiveDate>, std::collections::BTreeSet<NaiveDate>)> {
        Ok((self.inner.store.days_with_rows()?, self.inner.store.late_days()?))
    }

    /// Looks at the clock: after a sleep of the machine, firings in between were missed.
    fn wake(&self) -> anyhow::Result<()> {
        let now = self.inner.clock.now();
        let write = {
            let mut state = self.lock();
            if now - state.woken_at > ASLEEP {
                state.view.up_since = now;
            }
            state.woken_at = now;
            state.idle.values().any(|idle| now - idle.written_at >= ASLEEP)
        };
        if write { self.write_idle_counts() } else { Ok(()) }
    }

    /// What a lane has to do now, without jobs that are busy; a job with `overlap = "cancel"` is told to stop.
    fn batch(&self, lane: Lane) -> anyhow::Result<Vec<Due>> {
        if self.inner.stopping.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let planned = self.plan()?;
        let state = self.lock();
        let ours = |due: &Due| (due.window.day().is_some()) == (lane == Lane::Day);
        let mut batch = Vec::new();
        for due in planned.due.into_iter().filter(ours) {
            match state.running.get(&due.job) {
                None => batch.push(due),
                Some(running) => {
                    let overlap = self.inner.schedule.job(&due.job).map(|job| job.overlap);
                    if overlap == Some(Overlap::Cancel) && running.window != due.window {
                        running.cancel.raise(Why::Superseded);
                    }
                }
            }
        }
        Ok(batch)
    }

    fn run_batch(&self, lane: Lane, batch: Vec<Due>) -> anyhow::Result<Vec<Ended>> {
        let planned_at = self.lock().version;
        let workers = if lane == Lane::Day { self.inner.options.concurrency.clamp(1, batch.len()) } else { batch.len().min(4) };
        let queue = Mutex::new(VecDeque::from(batch));
        let work = || -> anyhow::Result<Vec<Ended>> {
            let mut ended = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(due) = next.filter(|_| !self.inner.stopping.load(Ordering::Acquire)) else { return Ok(ended) };
                let job = self.inner.schedule.require(&due.job)?;
                // Whoever came first in the meantime has it; if it is still due after that, the next plan says so.
                if let Ok(claim) = self.claim(job, due.window, Some(planned_at)) {
                    ended.push(self.execute(job, claim, due.scheduled_at, due.attempt, due.reason)?);
                }
            }
        };
        if workers == 1 {
            return work();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut ended = Vec::new();
            for worker in workers {
                ended.extend(worker.join().expect("a worker catches the panics of its jobs")?);
            }
            Ok(ended)
        })
    }

    /// Runs `job`, or waits for the run of the same window that is under way and takes its result.
    fn run_or_join(&self, job: &JobConfig, window: Window, reason: Reason) -> anyhow::Result<Ended> {
        loop {
            if self.inner.stopping.load(Ordering::Acquire) {
                bail!("`{}` was not started for {window}: the program is about to end", job.name);
            }
            let busy = match self.claim(job, window, None) {
                Ok(claim) => {
                    let attempt = {
                        let state = self.lock();
                        let last = state.view.last(&job.name, window).filter(|last| last.outcome != Outcome::Succeeded);
                        last.map_or(1, |last| last.attempt + 1)
                    };
                    let scheduled_at = self.inner.clock.now();
                    return self.execute(job, claim, scheduled_at, attempt, reason);
                }
                Err(busy) => busy,
            };
            let mut state = self.lock();
            while state.running.get(&job.name).is_some_and(|running| running.run_id == busy.run_id) {
                state = self.inner.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            if busy.window == window {
                let run = self.inner.store.job_run(busy.run_id)?;
                return run.map(Ended::from).with_context(|| {
                    format!("`{}` ran for {window}, but the ledger does not have run {}", job.name, busy.run_id)
                });
            }
        }
    }

    /// Whether `job` has to run for `window` before what comes after it can.
    fn is_missing(&self, job: &JobConfig, window: Window) -> bool {
        let state = self.lock();
        let done = |name: &str| state.view.last(name, window).and_then(|last| last.done);
        let Some(own) = done(&job.name) else { return true };
        let too_early = window.day().is_some_and(|day| own.started_at < self.inner.schedule.day.finished_at(day));
        let made_from_newer =
            job.after.iter().any(|name| done(name).is_some_and(|upstream| upstream.finished_at > own.started_at));
        !matches!(job.kind, Kind::Notify) && (too_early || made_from_newer)
    }

    /// Waits until nothing runs or `limit` is over; how many still run.
    fn wait_until_idle(&self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        while !state.running.is_empty() {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { break };
            state = self.inner.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.running.len()
    }

    fn write_idle_counts(&self) -> anyhow::Result<()> {
        let now = self.inner.clock.now();
        let counts = self.lock().take_idle_counts(now);
        for (job, runs, last_at) in counts {
            self.inner.store.count_idle_runs(&job, runs, last_at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
