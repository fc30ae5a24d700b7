//! What a tick does: everything that is due, lane by lane.

use std::{
    collections::{HashMap, HashSet},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::{
    super::plan::{Due, UNEVEN, plan, plan_instants, quiet_until},
    Ended, Runner,
    execute::{Claim, Unclaimed},
    state::{Quiet, Running, Stage, State},
};
use crate::{
    config::schedule::{JobConfig, Overlap},
    domain::{cancel::Why, window::Window},
};

/// A firing older than this when we look at the clock again was missed: the machine slept.
const ASLEEP: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// A job that is due again at once, whatever it did, is not begun again for the same before this is over.
const AGAIN: Duration = Duration::from_secs(5);

/// Which jobs a tick looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those about days.
    Day,
    /// Those that run by the instant.
    Instant,
}

impl Lane {
    /// How often it is looked at, also while something of it runs.
    #[must_use]
    pub fn period(self) -> Duration {
        match self {
            Lane::Day => Duration::from_secs(5),
            Lane::Instant => Duration::from_secs(1),
        }
    }
}

/// What a lane was found to have to do and has not begun: the oldest first.
#[derive(Default)]
struct Queue {
    due: Vec<Due>,
    /// The version that it was planned at.
    planned_at: u64,
}

/// A run that is about to begin.
struct Begun {
    job: JobConfig,
    claim: Claim,
    due: Due,
}

fn tried_key(due: &Due) -> (String, Window, u32) {
    (due.job.clone(), due.window, due.attempt)
}

impl Runner {
    /// Runs everything that is due, and what becomes due by that, until nothing is and what was begun has ended. Of the jobs
    /// about days only a few run at the same time, besides those that people asked for; those by the instant wait for none but
    /// the earlier firing of their own. What can go on beside a slow run is looked for at each [period](Lane::period).
    ///
    /// # Errors
    /// When the ledger cannot be read or written; what was begun goes on. A job's failure is not an error here: it is in the
    /// ledger.
    pub fn tick_lane(&self, lane: Lane) -> anyhow::Result<()> {
        self.tick_telling(lane, &mut drop)
    }

    /// [`tick_lane`](Self::tick_lane), which tells of each run that has ended.
    pub(super) fn tick_telling(&self, lane: Lane, tell: &mut dyn FnMut(Ended)) -> anyhow::Result<()> {
        let (sender, receiver) = mpsc::channel();
        let mut tried: HashMap<_, Instant> = HashMap::new();
        let mut running = 0_usize;
        loop {
            self.wake()?;
            let mut queue = self.queue(lane)?;
            tried.retain(|_, begun_at| begun_at.elapsed() < AGAIN);
            queue.due.retain(|due| !tried.contains_key(&tried_key(due)));
            while self.has_room(lane)
                && let Some(Begun { job, claim, due }) = self.begin_next(&mut queue)
            {
                tried.insert(tried_key(&due), Instant::now());
                self.spawn(job, claim, due, sender.clone())?;
                running += 1;
            }
            if running == 0 {
                return Ok(());
            }
            if let Ok(end) = receiver.recv_timeout(lane.period()) {
                running -= 1;
                tell(end?);
            }
        }
    }

    /// Whether one more run may begin. What people asked for takes nobody's place.
    fn has_room(&self, lane: Lane) -> bool {
        let takes_place = |running: &&Running| {
            running.is_planned && running.window.instant().is_none() && running.stage != Stage::Stuck
        };
        match lane {
            Lane::Day => self.lock().running.values().filter(takes_place).count() < self.inner.options.concurrency,
            Lane::Instant => true,
        }
    }

    /// Takes the first job of the queue that can begin. What was begun since the queue was planned, or is not in the schedule
    /// any more, is taken from it; what waits for an earlier run of its job stays.
    fn begin_next(&self, queue: &mut Queue) -> Option<Begun> {
        // The schedule may have been replaced since it was planned.
        let schedule = self.schedule();
        let mut busy: HashSet<String> = HashSet::new();
        let mut place = 0;
        while let Some(due) = queue.due.get(place) {
            if busy.contains(&due.job) {
                // A later firing must not overtake an earlier one, or that would count as answered.
                place += 1;
                continue;
            }
            let Some(job) = schedule.job(&due.job).filter(|job| job.enabled) else {
                queue.due.remove(place);
                continue;
            };
            match self.claim(job, due.window, Some(queue.planned_at), None) {
                Ok(claim) => {
                    let (job, due) = (job.clone(), queue.due.remove(place));
                    return Some(Begun { job, claim, due });
                }
                Err(Unclaimed::Stopping) => return None,
                Err(Unclaimed::Busy { .. }) => {
                    busy.insert(due.job.clone());
                    place += 1;
                }
                Err(Unclaimed::Done) => drop(queue.due.remove(place)),
            }
        }
        None
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

    /// What a lane has to do now; a run of a job with `overlap = "cancel"` that began before the next firing came is told to
    /// stop.
    fn queue(&self, lane: Lane) -> anyhow::Result<Queue> {
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
        for due in &due {
            // A day that became due by what it comes after has not fired, and an older one is no reason to stop a newer one.
            let fires =
                |job: &&JobConfig| job.overlap == Overlap::Cancel && job.cron.is_some() && due.reason.is_firing();
            if schedule.job(&due.job).filter(fires).is_some()
                && let Some(running) = state.running.get(&due.job)
                && running.window < due.window
                && running.started_at < due.scheduled_at
            {
                running.cancel.raise(Why::Superseded);
            }
        }
        Ok(Queue { due, planned_at })
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
}
