//! What the runner remembers between ticks: the ledger's latest rows, and what runs now.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    super::plan::{History, Last, LedgerView},
    Awaited,
};
use crate::{
    domain::{cancel::Cancel, window::Window},
    logging::RunLog,
};

pub(super) struct State {
    /// What the ledger says; kept in step with it, so that a tick with nothing due reads no ledger.
    pub(super) view: LedgerView,
    /// By job name: one run of a job at a time.
    pub(super) running: BTreeMap<String, Running>,
    /// Runs that were asked for and have not begun; the oldest first.
    pub(super) awaited: VecDeque<Awaited>,
    /// Runs that found nothing to do and are not counted in the store yet.
    pub(super) idle: BTreeMap<String, Idle>,
    /// The day lane has nothing to do, and until when that stays so; forgotten whenever something happens.
    pub(super) quiet: Option<Quiet>,
    /// When the clock was last looked at.
    pub(super) woken_at: DateTime<Utc>,
    /// Grows with every run that begins.
    pub(super) version: u64,
    /// The version at which a window's latest run of this process began.
    pub(super) begun: HashMap<(String, Window), u64>,
    /// The newest stamp given: each is later than the one before, whatever the clock says, as what came after what is
    /// told by them.
    stamped_at: DateTime<Utc>,
}

pub(super) struct Running {
    pub(super) run_id: Uuid,
    pub(super) window: Window,
    pub(super) cancel: Cancel,
    pub(super) log: RunLog,
    /// The schedule made it, not a person.
    pub(super) is_planned: bool,
    pub(super) started_at: DateTime<Utc>,
    pub(super) stage: Stage,
}

/// How far a run is that may have to be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It runs, or has ended and that is being written down.
    Runs,
    /// It did not end when it was told to, and that it failed is being written down.
    GivenUp,
    /// It has failed in the ledger, but goes on.
    Stuck,
}

/// A stretch in which nothing becomes due by itself.
pub(super) struct Quiet {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    looked_at: Instant,
}

impl Quiet {
    /// Rides of a day that was over come in without anything happening here: they are looked for this often.
    const LOOK_EVERY: Duration = Duration::from_secs(60);

    pub(super) fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Quiet {
            from,
            until,
            looked_at: Instant::now(),
        }
    }

    pub(super) fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until && self.looked_at.elapsed() < Self::LOOK_EVERY
    }
}

pub(super) struct Idle {
    pub(super) runs: u64,
    pub(super) last_at: DateTime<Utc>,
    pub(super) written_at: DateTime<Utc>,
}

impl State {
    pub(super) fn new(view: LedgerView, now: DateTime<Utc>) -> Self {
        let stamps = |last: &Last| last.finished_at.unwrap_or(last.started_at);
        let newest = view
            .jobs
            .values()
            .flat_map(|history| history.windows.values().map(stamps))
            .max();
        State {
            view,
            running: BTreeMap::new(),
            awaited: VecDeque::new(),
            idle: BTreeMap::new(),
            quiet: None,
            woken_at: now,
            version: 0,
            begun: HashMap::new(),
            stamped_at: newest.map_or(now, |newest| newest.max(now)),
        }
    }

    /// The stamp for something that happens now.
    pub(super) fn stamp(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.stamped_at = now.max(self.stamped_at + TimeDelta::microseconds(1));
        self.stamped_at
    }

    /// A run of `window` begins or has ended: what is due by the day may be another. Runs by the instant change nothing there.
    pub(super) fn disturb(&mut self, window: Window) {
        self.quiet.take_if(|_| window.instant().is_none());
    }

    pub(super) fn history(&mut self, job: &str, now: DateTime<Utc>) -> &mut History {
        self.view
            .jobs
            .entry(job.to_owned())
            .or_insert_with(|| History::new(now, None))
    }

    /// The idle runs since they were last counted in the store.
    pub(super) fn idle_counts(&self) -> Vec<(String, u64, DateTime<Utc>)> {
        let counted = self.idle.iter().filter(|(_, idle)| idle.runs > 0);
        counted
            .map(|(job, idle)| (job.clone(), idle.runs, idle.last_at))
            .collect()
    }

    /// Notes that so many idle runs of a job were counted in the store.
    pub(super) fn idle_was_counted(&mut self, job: &str, runs: u64, now: DateTime<Utc>) {
        if let Some(idle) = self.idle.get_mut(job) {
            idle.runs = idle.runs.saturating_sub(runs);
            idle.written_at = now;
        }
    }
}

/// A UUIDv7: sorts by the time the run began.
pub(super) fn new_run_id(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    let (first, second) = (RandomState::new().hash_one(millis), RandomState::new().hash_one(millis));
    let mut random = [0; 10];
    random[..8].copy_from_slice(&first.to_le_bytes());
    random[8..].copy_from_slice(&second.to_le_bytes()[..2]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
