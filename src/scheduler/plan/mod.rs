//! What is due: a pure function of the schedule, the ledger, the stream's position and the clock.

mod calendar;
mod instant;
mod next;
mod trouble;
mod view;

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, TimeDelta, Utc};

pub use self::{
    next::{MOST_COUNTED, Missed, NextRun, missed, next_run, next_runs},
    trouble::{HeldUp, Trouble, What, deadline_of, foretold, held_up_by, late, overdue, untold},
    view::{Done, History, Last, LedgerView, Stream, Told},
};
use super::firing::next_after;
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::{
        run::Outcome,
        window::{Period, Window},
    },
};

/// What the plan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be run now: oldest window first, upstream before downstream.
    pub due: Vec<Due>,
    /// Wanted, but not yet.
    pub waiting: Vec<Waiting>,
}

/// One run to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The job.
    pub job: String,
    /// What it is to produce.
    pub window: Window,
    /// When it was meant to run.
    pub scheduled_at: DateTime<Utc>,
    /// Counted from 1; above 1 for what has been tried before.
    pub attempt: u32,
    /// Why it is due.
    pub reason: Reason,
}

/// Why a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Its time has come, or what it comes after is done.
    Schedule,
    /// Its time came while the program was not up.
    CatchUp,
    /// It failed and has tries left.
    Retry,
    /// The process ended while it ran.
    Abandoned,
    /// What it is made from was made again.
    Restate,
    /// A person asked for it.
    Manual,
    /// A person asked for something that comes after it.
    Upstream,
    /// A person asked for a range of days.
    Backfill,
}

impl Reason {
    /// Its name in the ledger and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Schedule => "schedule",
            Reason::CatchUp => "catch_up",
            Reason::Retry => "retry",
            Reason::Abandoned => "abandoned",
            Reason::Restate => "restate",
            Reason::Manual => "manual",
            Reason::Upstream => "upstream",
            Reason::Backfill => "backfill",
        }
    }

    /// Whether a person asked for such a run.
    #[must_use]
    pub fn is_asked(self) -> bool {
        matches!(self, Reason::Manual | Reason::Upstream | Reason::Backfill)
    }

    /// Whether such a run answers a firing.
    #[must_use]
    pub fn is_firing(self) -> bool {
        matches!(self, Reason::Schedule | Reason::CatchUp)
    }
}

/// A run that is wanted but cannot be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: String,
    /// The window it is wanted for.
    pub window: Window,
    /// What it waits for.
    pub on: WaitingOn,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingOn {
    /// It runs already.
    Running {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Another window of the same job that runs.
    Turn {
        /// That one.
        behind: Window,
        /// Tries of this one that failed.
        failures: u32,
        /// Tries of this one that were cut short.
        cut_short: u32,
    },
    /// Its next try.
    Retry {
        /// When that is.
        at: DateTime<Utc>,
        /// Tries made.
        attempts: u32,
    },
    /// Its next try: the process ended while it ran, more than once.
    CutShort {
        /// When that is.
        at: DateTime<Utc>,
        /// How often it was cut short.
        times: u32,
    },
    /// A person: all tries failed.
    GaveUp {
        /// Tries made.
        attempts: u32,
    },
    /// The end of its last day, and some minutes more for late lines.
    End {
        /// How long the window is.
        period: Period,
        /// When it counts as finished.
        until: DateTime<Utc>,
    },
    /// Ingest, which has not read up to the end of its last day.
    Ingest {
        /// How far it has read.
        watermark: Option<DateTime<Utc>>,
        /// The end of the day.
        day_end: DateTime<Utc>,
    },
    /// Jobs that have not made this window, or not since what they are made from was made again.
    Upstream {
        /// Their names.
        jobs: Vec<String>,
    },
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: &DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        match self {
            WaitingOn::Running { since } => write!(f, "running since {}", time(since)),
            WaitingOn::Turn {
                behind,
                failures,
                cut_short,
            } => {
                match (failures, cut_short) {
                    (0, 0) => {}
                    (0, cut_short) => write!(f, "cut short {}, ", times(*cut_short))?,
                    (failures, _) => write!(f, "failed {}, ", times(*failures))?,
                }
                write!(f, "waits for its run of {behind}")
            }
            WaitingOn::Retry { at, attempts } => write!(f, "failed {}, tried again at {}", times(*attempts), time(at)),
            WaitingOn::CutShort { at, times: count } => {
                write!(f, "cut short {}, run again at {}", times(*count), time(at))
            }
            WaitingOn::GaveUp { attempts } => write!(f, "failed {}, not tried again by itself", times(*attempts)),
            WaitingOn::End { period, until } => {
                write!(f, "the {} is not finished before {}", period.name(), time(until))
            }
            WaitingOn::Ingest {
                watermark: Some(watermark),
                day_end,
            } => {
                write!(
                    f,
                    "ingest has read up to {}, the day ends at {}",
                    time(watermark),
                    time(day_end)
                )
            }
            WaitingOn::Ingest {
                watermark: None,
                day_end,
            } => {
                write!(f, "ingest has not caught up, the day ended at {}", time(day_end))
            }
            WaitingOn::Upstream { jobs } => write!(f, "waits for {}", jobs.join(", ")),
        }
    }
}

/// `once`, `3 times`.
#[must_use]
pub fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// What is due at `now`, and what waits for what. Jobs that `view` has not seen yet have nothing but what covers
/// history: their own starts with their first sight.
#[must_use]
pub fn plan(schedule: &Schedule, view: &LedgerView, stream: Stream, now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::default();
    let mut calendar = calendar::Calendar::new(schedule, view, stream, now);
    for job in upstream_order(schedule) {
        if job.is_sub_day() {
            instant::plan(job, view, now, &mut plan);
        } else {
            calendar.plan(job, &mut plan);
        }
    }
    // A stable sort: within a window, upstream stays first. Instants do not wait behind days.
    plan.due
        .sort_by_key(|due| (due.window.span().map(|(_, last)| last), due.scheduled_at.min(now)));
    plan.waiting.sort_by_key(|waiting| waiting.window);
    plan
}

/// [`plan`] for jobs that run by the instant alone, which takes no look at the days of the others.
#[must_use]
pub fn plan_instants(schedule: &Schedule, view: &LedgerView, now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::default();
    for job in schedule.jobs.iter().filter(|job| job.is_sub_day()) {
        instant::plan(job, view, now, &mut plan);
    }
    plan.due.sort_by_key(|due| due.scheduled_at.min(now));
    plan
}

/// Until when nothing that `planned` does not have becomes due by itself, if the ledger, the stream and the days with rows
/// stay as they are: the next firing, or the end of what is waited for. None where it waits for what tells no time.
#[must_use]
pub fn quiet_until(schedule: &Schedule, planned: &Plan, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let firings = schedule.jobs.iter().filter(|job| job.enabled && !job.is_sub_day());
    let firings = firings.filter_map(|job| next_after(job.cron.as_ref()?, job.timezone, now));
    let mut until = firings.min().unwrap_or(DateTime::<Utc>::MAX_UTC);
    for waiting in planned
        .waiting
        .iter()
        .filter(|waiting| waiting.window.instant().is_none())
    {
        match waiting.on {
            WaitingOn::Retry { at, .. } | WaitingOn::CutShort { at, .. } => until = until.min(at),
            WaitingOn::End { until: end, .. } => until = until.min(end),
            WaitingOn::Upstream { .. } | WaitingOn::GaveUp { .. } => {}
            WaitingOn::Running { .. } | WaitingOn::Turn { .. } | WaitingOn::Ingest { .. } => return None,
        }
    }
    Some(until)
}

/// The jobs, each after everything it comes after.
pub(super) fn upstream_order(schedule: &Schedule) -> Vec<&JobConfig> {
    fn visit<'s>(
        schedule: &'s Schedule,
        job: &'s JobConfig,
        seen: &mut BTreeSet<&'s str>,
        order: &mut Vec<&'s JobConfig>,
    ) {
        if seen.insert(&job.name) {
            for upstream in job.after.iter().filter_map(|name| schedule.job(name)) {
                visit(schedule, upstream, seen, order);
            }
            order.push(job);
        }
    }
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for job in &schedule.jobs {
        visit(schedule, job, &mut seen, &mut order);
    }
    order
}

/// A clock that shows so much less than before was not set back as far as anybody need care: it soon is where it was.
pub const UNEVEN: TimeDelta = TimeDelta::minutes(1);

/// Whether a failed or abandoned run is due again, or what it waits for.
fn try_again(
    job: &JobConfig,
    window: Window,
    last: &Last,
    up_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Reason, WaitingOn> {
    let ended_at = last.finished_at.unwrap_or(last.started_at);
    // An end that lies in the future was stamped by a clock that has been set back since, and which ran anew from then on.
    let ended_at = if ended_at > now + UNEVEN {
        up_since
    } else {
        ended_at.min(now)
    };
    let (failures, times) = (last.failures, last.times_cut_short());
    let backoff = |tries| ended_at + backoff(job, window, tries);
    let (reason, at) = match last.outcome {
        // Once right away; then slower and slower, so that a run which takes the process down does not keep it down.
        Outcome::Abandoned if times <= 1 => (Reason::Abandoned, ended_at),
        Outcome::Abandoned => (Reason::Abandoned, backoff(times)),
        _ if failures > job.retries => return Err(WaitingOn::GaveUp { attempts: failures }),
        _ => (Reason::Retry, backoff(failures)),
    };
    match (at <= now, reason) {
        (true, _) => Ok(reason),
        (false, Reason::Abandoned) => Err(WaitingOn::CutShort { at, times }),
        (false, _) => Err(WaitingOn::Retry { at, attempts: failures }),
    }
}

/// Exponential with full jitter: anything up to `initial` × 2ⁿ⁻¹, at most `max`. The dice are a hash, so that the
/// same failure waits the same time however often it is planned.
fn backoff(job: &JobConfig, window: Window, attempt: u32) -> TimeDelta {
    let initial = job.backoff.initial.num_milliseconds();
    let bound = 2_i64
        .checked_pow(attempt.saturating_sub(1))
        .and_then(|factor| initial.checked_mul(factor))
        .map_or(job.backoff.max, TimeDelta::milliseconds)
        .min(job.backoff.max);
    // FNV-1a, then a finaliser, as the last bytes hardly reach the high bits.
    let key = format!("{} {window} {attempt}", job.name);
    let mut hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    let share = i64::try_from(hash % 1_000_001).expect("less than a million and two");
    // Whole milliseconds, at most 100 years of them: the product stays in range once divided first by 1,000.
    TimeDelta::milliseconds(bound.num_milliseconds() / 1_000 * share / 1_000)
}

/// Never twice for the same window by itself, whatever is made again: people get one mail a day.
fn happens_once(job: &JobConfig) -> bool {
    matches!(job.kind, Kind::Notify { .. })
}

/// Whether the job itself decides if a day that was made again is mailed about once more.
fn looks_again(job: &JobConfig) -> bool {
    matches!(
        job.kind,
        Kind::Notify {
            restate_percent: Some(_)
        }
    )
}

/// Of a day that ended longer ago, nobody waits for word that its figures moved.
const NEWS: TimeDelta = TimeDelta::days(7);

#[cfg(test)]
mod case;
#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
#[cfg(test)]
mod zone_tests;
