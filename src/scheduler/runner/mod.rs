//! Runs what is due, one run of a job at a time, and writes the ledger.

mod ask;
mod awaited;
mod execute;
mod overview;
mod state;
mod tick;
mod trouble;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use chrono::NaiveDate;
use uuid::Uuid;

use self::state::State;
pub use self::{
    ask::Asked,
    awaited::{Awaited, NotBegun},
    execute::Ended,
    tick::Lane,
};
use super::{
    Job, Observer,
    plan::{LedgerView, Plan, Stream, plan},
};
use crate::{
    clock::Clock,
    config::schedule::Schedule,
    domain::{cancel::Why, run::LogLine},
    store::Store,
};

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
        Options {
            // Not one: what hangs must not hold up the others until it is given up.
            concurrency: 2,
            cancel_grace: Duration::from_secs(10),
        }
    }
}

/// Runs jobs. Cheap to clone; every clone is the same runner. All its calls block: from async code they are made on a
/// blocking thread.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    programme: RwLock<Programme>,
    store: Store,
    clock: Clock,
    observer: OnceLock<Box<dyn Observer>>,
    stream: Box<dyn Fn() -> Stream + Send + Sync>,
    options: Options,
    state: Mutex<State>,
    /// Signalled whenever a run has ended.
    ended: Condvar,
    stopping: AtomicBool,
}

/// What runs, and when; replaced as a whole.
#[derive(Clone)]
struct Programme {
    schedule: Arc<Schedule>,
    /// What to run, by the job's name.
    jobs: Arc<BTreeMap<String, Arc<dyn Job>>>,
}

impl Programme {
    fn new(schedule: Schedule, jobs: BTreeMap<String, Arc<dyn Job>>) -> anyhow::Result<Self> {
        if let Some(job) = schedule.jobs.iter().find(|job| !jobs.contains_key(&job.name)) {
            bail!(
                "cron.toml has a job `{}` of kind `{}` that nothing was made for",
                job.name,
                job.kind.name()
            );
        }
        Ok(Programme {
            schedule: Arc::new(schedule),
            jobs: Arc::new(jobs),
        })
    }

    fn enabled_jobs(&self) -> impl Iterator<Item = &str> {
        let enabled = self.schedule.jobs.iter().filter(|job| job.enabled);
        enabled.map(|job| job.name.as_str())
    }
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
        let programme = Programme::new(schedule, jobs)?;
        let now = clock.now();
        let abandoned = store.abandon_runs(now)?;
        if abandoned > 0 {
            tracing::warn!(
                runs = abandoned,
                "runs were cut short when the program ended; they are due again"
            );
        }
        store.see_jobs(programme.enabled_jobs(), now)?;
        let view = LedgerView::new(store.job_rows()?, store.last_runs()?, now);
        let inner = Inner {
            programme: RwLock::new(programme),
            store,
            clock,
            observer: OnceLock::new(),
            stream: Box::new(stream),
            options,
            state: Mutex::new(State::new(view, now)),
            ended: Condvar::new(),
            stopping: AtomicBool::new(false),
        };
        Ok(Runner { inner: Arc::new(inner) })
    }

    /// The same runner, which tells `observer` of every run from now on. There is one observer: the first.
    #[must_use]
    pub fn observed_by(self, observer: impl Observer + 'static) -> Self {
        self.inner.observer.get_or_init(|| Box::new(observer));
        self
    }

    /// Tells the observer that what is done at each tick failed.
    pub(super) fn tick_failed(&self, what: &'static str) {
        if let Some(observer) = self.inner.observer.get() {
            observer.tick_failed(what);
        }
    }

    /// The schedule it goes by at the moment.
    #[must_use]
    pub fn schedule(&self) -> Arc<Schedule> {
        self.programme().schedule
    }

    /// Goes by another schedule from now on. Runs under way end as they began. Jobs that are new have their history start
    /// now.
    ///
    /// # Errors
    /// When a job of the schedule has nothing to run, or the ledger cannot be written; the old schedule stays then.
    pub fn replace(&self, schedule: Schedule, jobs: BTreeMap<String, Arc<dyn Job>>) -> anyhow::Result<()> {
        let programme = Programme::new(schedule, jobs)?;
        let now = self.inner.clock.now();
        self.inner.store.see_jobs(programme.enabled_jobs(), now)?;
        let mut state = self.lock();
        for job in programme.enabled_jobs() {
            state.history(job, now);
        }
        *self.inner.programme.write().unwrap_or_else(PoisonError::into_inner) = programme;
        state.quiet = None;
        drop(state);
        Ok(())
    }

    /// What a run that is under way has logged; none where no such run is.
    #[must_use]
    pub fn log_so_far(&self, run_id: Uuid) -> Option<Vec<LogLine>> {
        let state = self.lock();
        let running = state.running.values().find(|running| running.run_id == run_id);
        running.map(|running| running.log.lines())
    }

    fn programme(&self) -> Programme {
        let programme = self.inner.programme.read();
        programme.unwrap_or_else(PoisonError::into_inner).clone()
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
        Ok(self.planned(&state))
    }

    fn planned(&self, state: &State) -> Plan {
        plan(
            &self.schedule(),
            &state.view,
            (self.inner.stream)(),
            self.inner.clock.now(),
        )
    }

    /// How far ingest has read.
    #[must_use]
    pub fn stream(&self) -> Stream {
        (self.inner.stream)()
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

    fn days(&self) -> anyhow::Result<(BTreeSet<NaiveDate>, BTreeSet<NaiveDate>)> {
        Ok((self.inner.store.days_with_rows()?, self.inner.store.late_days()?))
    }

    /// Waits until nothing runs or `limit` is over; how many still run.
    fn wait_until_idle(&self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        while !state.running.is_empty() {
            let Some(left) = until
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            else {
                break;
            };
            state = self
                .inner
                .ended
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.running.len()
    }

    fn write_idle_counts(&self) -> anyhow::Result<()> {
        let now = self.inner.clock.now();
        let counts = self.lock().idle_counts();
        for (job, runs, last_at) in counts {
            self.inner.store.count_idle_runs(&job, runs, last_at)?;
            self.lock().idle_was_counted(&job, runs, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
