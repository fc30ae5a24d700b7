//! What the plan needs to know of what has been.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    domain::{run::Outcome, window::Window},
    store::ledger::{JobRow, LastRun},
};

/// What has been done, by job and window.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// By job name. A job that is not in it was never seen before.
    pub jobs: BTreeMap<String, History>,
    /// Business days that rides in the buffer belong to.
    pub days_with_rows: BTreeSet<NaiveDate>,
    /// Sealed days for which something arrived since.
    pub late_days: BTreeSet<NaiveDate>,
    /// Since when the program has been awake and its clock has not been set back: firings before it were missed.
    pub up_since: DateTime<Utc>,
}

/// What has been done by one job.
#[derive(Debug, Clone)]
pub struct History {
    /// When the program first knew the job.
    pub first_seen_at: DateTime<Utc>,
    /// The firing by the instant that was answered last.
    pub answered: Option<DateTime<Utc>>,
    /// The newest firing that was answered with nothing to do; such runs are not among `windows`.
    pub last_idle_at: Option<DateTime<Utc>>,
    /// How many firings were answered so, ever.
    pub idle_runs: u64,
    /// The latest run of each window.
    pub windows: BTreeMap<Window, Last>,
    /// What somebody was told of it.
    pub told: Told,
}

/// How far somebody was told what went wrong with a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The failures up to here.
    pub failures: Option<DateTime<Utc>>,
    /// The deadlines up to here.
    pub deadlines: Option<DateTime<Utc>>,
}

/// The latest run of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Which try it was.
    pub attempt: u32,
    /// How many of its tries failed; the others were cut short.
    pub failures: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was meant to run.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether the window was run as it fired, rather than only because a person asked.
    pub is_firing: bool,
    /// The latest run of the window that did what it was for, this one or an earlier one.
    pub done: Option<Done>,
}

impl Last {
    /// How many of its tries ended with the process.
    #[must_use]
    pub fn times_cut_short(&self) -> u32 {
        match self.outcome {
            Outcome::Abandoned | Outcome::Failed => self.attempt.saturating_sub(self.failures),
            Outcome::Running | Outcome::Succeeded => self.attempt.saturating_sub(1 + self.failures),
        }
    }
}

/// A run that did what it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// How far ingest has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Nothing more to read at the moment.
    pub caught_up: bool,
    /// The log's clock, which all that is to come lies after.
    pub watermark: Option<DateTime<Utc>>,
}

impl Stream {
    /// The state of an ingest with nothing to read.
    pub const CAUGHT_UP: Stream = Stream {
        caught_up: true,
        watermark: None,
    };
}

impl LedgerView {
    /// The view as the ledger has it.
    #[must_use]
    pub fn new(jobs: Vec<JobRow>, last_runs: Vec<LastRun>, up_since: DateTime<Utc>) -> Self {
        let mut view = LedgerView {
            // A first sight in the future was stamped by a clock that has been set back since.
            jobs: jobs
                .into_iter()
                .map(|row| {
                    let mut history = History::new(row.first_seen_at.min(up_since), row.last_idle_at);
                    history.idle_runs = row.idle_runs;
                    history.told = Told {
                        failures: row.failures_told_at,
                        deadlines: row.deadlines_told_until,
                    };
                    (row.job, history)
                })
                .collect(),
            days_with_rows: BTreeSet::new(),
            late_days: BTreeSet::new(),
            up_since,
        };
        for run in last_runs {
            let history = view
                .jobs
                .entry(run.job)
                .or_insert_with(|| History::new(run.started_at, None));
            let done = run.done_started_at.zip(run.done_finished_at);
            let done = done.map(|(started_at, finished_at)| Done {
                started_at,
                finished_at,
            });
            let last = Last {
                attempt: run.attempt,
                failures: run.failures,
                outcome: run.outcome,
                scheduled_at: run.scheduled_at,
                started_at: run.started_at,
                finished_at: run.finished_at,
                is_firing: run.is_firing,
                done,
            };
            if last.is_firing {
                history.answered = history.answered.max(run.window.instant());
            }
            history.windows.insert(run.window, last);
        }
        view
    }

    /// The latest run of `job` for `window`.
    #[must_use]
    pub fn last(&self, job: &str, window: Window) -> Option<&Last> {
        self.jobs.get(job)?.windows.get(&window)
    }
}

impl History {
    /// The history of a job that has none yet.
    #[must_use]
    pub fn new(first_seen_at: DateTime<Utc>, last_idle_at: Option<DateTime<Utc>>) -> Self {
        History {
            first_seen_at,
            answered: last_idle_at,
            last_idle_at,
            idle_runs: 0,
            windows: BTreeMap::new(),
            told: Told::default(),
        }
    }

    /// The run by the instant that began last.
    #[must_use]
    pub fn newest_by_instant(&self) -> Option<(Window, &Last)> {
        let by_instant = self.windows.iter().filter(|(window, _)| window.instant().is_some());
        let newest = by_instant.max_by_key(|(_, last)| last.started_at);
        newest.map(|(&window, last)| (window, last))
    }

    /// Keeps the few runs by the instant that began last: older ones decide nothing any more.
    pub fn forget_old_instants(&mut self) -> Option<Window> {
        const KEPT: usize = 50;
        let by_instant = || self.windows.iter().filter(|(window, _)| window.instant().is_some());
        if by_instant().count() <= KEPT {
            return None;
        }
        // By when they ran: after a clock was set back, the newest is not the one with the latest name.
        let (&oldest, _) = by_instant().min_by_key(|(_, last)| last.started_at)?;
        self.windows.remove(&oldest);
        Some(oldest)
    }

    /// The window it is running now, and since when.
    #[must_use]
    pub fn running(&self) -> Option<(Window, &Last)> {
        // The newest ones are the ones that run.
        self.windows
            .iter()
            .rev()
            .find(|(_, last)| last.outcome == Outcome::Running)
            .map(|(&window, last)| (window, last))
    }

    /// Whether a run was going on at `instant`.
    #[must_use]
    pub fn was_running_at(&self, instant: DateTime<Utc>) -> bool {
        let spans = |last: &Last| {
            let ended = last.finished_at.filter(|_| last.outcome != Outcome::Running);
            last.started_at < instant && ended.is_none_or(|ended| instant <= ended)
        };
        self.windows.values().rev().any(spans)
    }
}
