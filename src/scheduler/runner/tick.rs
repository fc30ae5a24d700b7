//! What a tick does: everything that is due, lane by lane.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::{
    super::plan::{Due, UNEVEN, plan, plan_instants, quiet_until},
    Ended, Runner,
    execute::Unclaimed,
    state::{Quiet, State},
};
use crate::{config::schedule::Overlap, domain::cancel::Why};

/// A firing older than this when we look at the clock again was missed: the machine slept.
const ASLEEP: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Which jobs a tick looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those about days.
    Day,
    /// Those that run by the instant.
    Instant,
}

impl Runner {
    /// Runs everything that is due, and what becomes due by that, until nothing is; looks at everything to tell. Says how
    /// the runs ended.
    ///
    /// # Errors
    /// When the ledger cannot be read or written. A job's failure is not an error here: it is in the ledger.
    pub fn tick(&self) -> anyhow::Result<Vec<Ended>> {
        self.lock().quiet = None;
        std::thread::scope(|scope| {
            let instants = scope.spawn(|| self.tick_lane(Lane::Instant));
            let mut ended = self.tick_lane(Lane::Day)?;
            ended.extend(instants.join().expect("a lane catches the panics of its jobs")?);
            Ok(ended)
        })
    }

    /// [`tick`](Self::tick) for one lane: the other does not wait for it. While nothing happens, days are planned again when
    /// the next of them is due, and once a minute, as rides of a day that was over may have come in.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub fn tick_lane(&self, lane: Lane) -> anyhow::Result<Vec<Ended>> {
        self.wake()?;
        let mut tried = HashSet::new();
        let mut ended = Vec::new();
        loop {
            let (mut batch, planned_at) = self.batch(lane)?;
            // Should a job stay due whatever it answers, it is for the next tick.
            batch.retain(|due| tried.insert((due.job.clone(), due.window, due.attempt)));
            if batch.is_empty() {
                return Ok(ended);
            }
            ended.extend(self.run_batch(lane, batch, planned_at)?);
        }
    }

    /// Looks at the clock: after a sleep of the machine, firings in between were missed; after it was set back, time runs
    /// anew from there.
    fn wake(&self) -> anyhow::Result<()> {
        let now = self.inner.clock.now();
        let write = {
            let mut state = self.lock();
            let is_set_back = state.woken_at - now > UNEVEN;
            if is_set_back || now - state.woken_at > ASLEEP {
                state.view.up_since = now;
                state.quiet = None;
            }
            // Set back by a moment, and again by a moment, it is set back by more.
            state.woken_at = if is_set_back { now } else { now.max(state.woken_at) };
            state.idle.values().any(|idle| now - idle.written_at >= ASLEEP)
        };
        if write { self.write_idle_counts() } else { Ok(()) }
    }

    /// What a lane has to do now, without jobs that are busy, and the version that this was planned at; a job with
    /// `overlap = "cancel"` is told to stop.
    fn batch(&self, lane: Lane) -> anyhow::Result<(Vec<Due>, u64)> {
        let (due, planned_at) = match lane {
            Lane::Day => self.days_due()?,
            // Which days have rows is nothing to a job by the instant: no need to ask the store each second.
            Lane::Instant => {
                let state = self.lock();
                let planned = plan_instants(&self.schedule(), &state.view, self.inner.clock.now());
                (planned.due, state.version)
            }
        };
        let schedule = self.schedule();
        let state = self.lock();
        let mut batch = Vec::new();
        for due in due {
            match state.running.get(&due.job) {
                None => batch.push(due),
                Some(running) => {
                    let overlap = schedule.job(&due.job).map(|job| job.overlap);
                    if overlap == Some(Overlap::Cancel) && running.window != due.window {
                        running.cancel.raise(Why::Superseded);
                    }
                }
            }
        }
        Ok((batch, planned_at))
    }

    /// What the day lane has to do, without asking the store and going through the ledger where it cannot be more than
    /// before: nothing.
    fn days_due(&self) -> anyhow::Result<(Vec<Due>, u64)> {
        let is_quiet = |state: &State| {
            state
                .quiet
                .as_ref()
                .is_some_and(|quiet| quiet.holds_at(self.inner.clock.now()))
        };
        let (quiet, version) = {
            let state = self.lock();
            (is_quiet(&state), state.version)
        };
        if quiet {
            return Ok((Vec::new(), version));
        }
        let days = self.days()?;
        let mut state = self.lock();
        // Read under the lock, as it is replaced under it.
        let schedule = self.schedule();
        (state.view.days_with_rows, state.view.late_days) = days;
        let now = self.inner.clock.now();
        let planned = plan(&schedule, &state.view, (self.inner.stream)(), now);
        let until = quiet_until(&schedule, &planned, now);
        let due: Vec<Due> = planned
            .due
            .into_iter()
            .filter(|due| due.window.instant().is_none())
            .collect();
        state.quiet = until.filter(|_| due.is_empty()).map(|until| Quiet::new(now, until));
        Ok((due, state.version))
    }

    fn run_batch(&self, lane: Lane, batch: Vec<Due>, planned_at: u64) -> anyhow::Result<Vec<Ended>> {
        let mut by_job: BTreeMap<String, Vec<Due>> = BTreeMap::new();
        if lane == Lane::Instant || self.inner.options.concurrency > 1 {
            for due in batch {
                by_job.entry(due.job.clone()).or_default().push(due);
            }
        } else {
            // One after the other, in the plan's order: the oldest day first.
            by_job.insert(String::new(), batch);
        }
        let most = match lane {
            Lane::Day => self.inner.options.concurrency,
            Lane::Instant => by_job.len(),
        };
        let workers = most.clamp(1, by_job.len());
        let queue = Mutex::new(VecDeque::from_iter(by_job.into_values()));
        let work = || -> anyhow::Result<Vec<Ended>> {
            let mut ended = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(in_order) = next else { return Ok(ended) };
                for due in in_order {
                    // The schedule may have been replaced since it was planned.
                    let schedule = self.schedule();
                    let Some(job) = schedule.job(&due.job).filter(|job| job.enabled) else {
                        continue;
                    };
                    match self.claim(job, due.window, Some(planned_at), None) {
                        Ok(claim) => ended.push(self.execute(job, claim, due.scheduled_at, due.attempt, due.reason)?),
                        Err(Unclaimed::Stopping) => return Ok(ended),
                        // A later firing must not overtake this one, or it would count as answered.
                        Err(_) if lane == Lane::Instant => break,
                        // Whoever came first in the meantime has it; if it is still due then, the next plan says so.
                        Err(_) => {}
                    }
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
}
