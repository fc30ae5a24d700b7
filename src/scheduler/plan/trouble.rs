//! What whoever keeps the system running is to be told: jobs that gave up, and windows whose deadline passed undone.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    Due, History, Last, LedgerView, Plan, Stream, UNEVEN, WaitingOn, calendar, happens_once, plan, times,
    upstream_order,
};
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::{day::DayRule, run::Outcome, window::Window},
    scheduler::firing::{instant_of, next_from},
};

/// What happened longer ago than this is news to nobody, and can be seen in the ledger.
const LOOK_BACK: TimeDelta = TimeDelta::days(7);

/// A run that was cut short so often takes the process down with it, or is not let come to its end; once or twice, somebody
/// restarted the program.
const TOO_OFTEN: u32 = 3;

/// After a job's failure was told, further ones are told together, when this is over.
const FOLD: TimeDelta = TimeDelta::hours(6);

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The job.
    pub job: String,
    /// What it was to produce.
    pub window: Window,
    /// What went wrong.
    pub what: What,
}

/// What went wrong with a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It failed, and is not tried again by itself.
    GaveUp {
        /// Tries made.
        attempts: u32,
        /// When the last of them ended.
        at: DateTime<Utc>,
        /// Runs that gave up since the last time this was told; more than one of a job that runs by the instant.
        times: usize,
    },
    /// The process ended again and again while it ran; it is tried again by itself, slower each time.
    CutShort {
        /// How often.
        times: u32,
        /// When it did so last.
        at: DateTime<Utc>,
    },
    /// It was not done by its deadline.
    Late {
        /// The deadline.
        deadline: DateTime<Utc>,
        /// How it stands, in words: `it never began`, `running since …`.
        why: String,
    },
}

impl Trouble {
    /// When it went wrong.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        match self.what {
            What::GaveUp { at, .. } | What::CutShort { at, .. } => at,
            What::Late { deadline, .. } => deadline,
        }
    }

    /// Whether it is about a deadline.
    #[must_use]
    pub fn is_late(&self) -> bool {
        matches!(self.what, What::Late { .. })
    }
}

/// What somebody is to be told now, and was not told yet. Deadlines are told as they pass; a job's failures at once, and
/// those of the six hours after that together.
#[must_use]
pub fn untold(schedule: &Schedule, view: &LedgerView, stream: Stream, now: DateTime<Utc>) -> Vec<Trouble> {
    let mut found = Vec::new();
    for job in upstream_order(schedule) {
        let Some(history) = view.jobs.get(&job.name).filter(|_| job.enabled) else {
            continue;
        };
        found.extend(failures(job, history, now));
        let late = overdue_windows(schedule, view, job, now).into_iter();
        let is_news =
            |&(_, deadline): &(Window, DateTime<Utc>)| history.told.deadlines.is_none_or(|told| deadline > told);
        found.extend(late.filter(is_news).map(|(window, deadline)| Trouble {
            job: job.name.clone(),
            window,
            what: What::Late {
                deadline,
                why: String::new(),
            },
        }));
    }
    if found.iter().any(Trouble::is_late) {
        let planned = plan(schedule, view, stream, now);
        for trouble in &mut found {
            let is_same = |due: &Due| due.job == trouble.job && due.window == trouble.window;
            let waits = planned
                .waiting
                .iter()
                .find(|waiting| waiting.job == trouble.job && waiting.window == trouble.window);
            if let What::Late { why, .. } = &mut trouble.what {
                *why = match waits {
                    Some(waiting) => waiting.on.to_string(),
                    None if planned.due.iter().any(is_same) => {
                        let last = view.last(&trouble.job, trouble.window);
                        match last.map_or((0, 0), |last| (last.failures, last.times_cut_short())) {
                            (0, 0) => "it never began".to_owned(),
                            (0, _) => "it was cut short, and is run again".to_owned(),
                            (failures, _) => format!("failed {}, and is tried again", times(failures)),
                        }
                    }
                    None => schedule
                        .job(&trouble.job)
                        .and_then(|job| held_up_by(schedule, view, &planned, job, trouble.window))
                        .map_or_else(
                            || "it never began".to_owned(),
                            |cause| format!("it never began: `{}` {}", cause.job, cause.why),
                        ),
                };
            }
        }
    }
    found
}

/// What somebody will be told after `now` and up to `until` if no person does anything, with when: failures that are told
/// together with others, and deadlines of what waits for something that gave up or is disabled.
#[must_use]
pub fn foretold(
    schedule: &Schedule,
    view: &LedgerView,
    planned: &Plan,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, Trouble)> {
    let mut found = Vec::new();
    for job in upstream_order(schedule) {
        let Some(history) = view.jobs.get(&job.name).filter(|_| job.enabled) else {
            continue;
        };
        let folded_until = history.told.failures.map(|told| told + FOLD);
        if let Some(at) = folded_until.filter(|&at| at > now && at <= until) {
            found.extend(failures(job, history, at).into_iter().map(|trouble| (at, trouble)));
        }
        let to_come = overdue_windows(schedule, view, job, until).into_iter();
        for (window, deadline) in to_come.filter(|&(_, deadline)| deadline >= now) {
            let Some(cause) = held_up_by(schedule, view, planned, job, window) else {
                continue;
            };
            let what = What::Late {
                deadline,
                why: format!("`{}` {}", cause.job, cause.why),
            };
            let job = job.name.clone();
            found.push((deadline, Trouble { job, window, what }));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found
}

/// What a window cannot be made without, and what nothing is done about unless a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUp {
    /// The job that does not make it.
    pub job: String,
    /// What that is to make.
    pub window: Window,
    /// Why it does not, in words: `failed 4 times, not tried again by itself`, `is disabled`.
    pub why: String,
}

/// What holds `window` of `job` up: the job itself, or one that it comes after, gave up or is disabled.
#[must_use]
pub fn held_up_by(
    schedule: &Schedule,
    view: &LedgerView,
    planned: &Plan,
    job: &JobConfig,
    window: Window,
) -> Option<HeldUp> {
    let held_up = |why: String| HeldUp {
        job: job.name.clone(),
        window,
        why,
    };
    if !job.enabled {
        return Some(held_up("is disabled".to_owned()));
    }
    if planned
        .due
        .iter()
        .any(|due| due.job == job.name && due.window == window)
    {
        return None;
    }
    let mut waiting = planned.waiting.iter();
    let on = waiting.find(|waiting| waiting.job == job.name && waiting.window == window);
    let on = on.map(|waiting| &waiting.on);
    if let Some(on @ WaitingOn::GaveUp { .. }) = on {
        return Some(held_up(on.to_string()));
    }
    let is_missing = |upstream: &JobConfig, part: Window| match on {
        Some(WaitingOn::Upstream { jobs }) => jobs.contains(&upstream.name),
        Some(WaitingOn::Turn { .. } | WaitingOn::Running { .. } | WaitingOn::Retry { .. }) => false,
        _ => view.last(&upstream.name, part).is_none_or(|last| last.done.is_none()),
    };
    let upstream = job.after.iter().filter_map(|name| schedule.job(name));
    let parts = upstream.flat_map(|upstream| window.parts(upstream.every).map(move |part| (upstream, part)));
    let mut missing = parts.filter(|&(upstream, part)| is_missing(upstream, part));
    missing.find_map(|(upstream, part)| held_up_by(schedule, view, planned, upstream, part))
}

/// The windows that are undone although their deadline has passed, with the job and the deadline.
#[must_use]
pub fn late<'s>(
    schedule: &'s Schedule,
    view: &LedgerView,
    now: DateTime<Utc>,
) -> Vec<(&'s JobConfig, Window, DateTime<Utc>)> {
    let enabled = schedule.jobs.iter().filter(|job| job.enabled);
    let windows = |job| overdue_windows(schedule, view, job, now).into_iter();
    enabled
        .flat_map(|job| windows(job).map(move |(window, deadline)| (job, window, deadline)))
        .collect()
}

/// How many windows of each job with a deadline are undone although it has passed; jobs without late ones have none.
#[must_use]
pub fn overdue(schedule: &Schedule, view: &LedgerView, now: DateTime<Utc>) -> Vec<(String, usize)> {
    let with_deadline = schedule.jobs.iter().filter(|job| job.enabled && job.deadline.is_some());
    with_deadline
        .map(|job| (job.name.clone(), overdue_windows(schedule, view, job, now).len()))
        .collect()
}

/// The deadline of `job` for `window`: the first time its clock shows the deadline's hour after the window's end.
#[must_use]
pub fn deadline_of(rule: &DayRule, job: &JobConfig, window: Window) -> Option<DateTime<Utc>> {
    let (_, last_day) = window.span()?;
    job.deadline
        .map(|time| first_at(time, job.timezone, rule.span(last_day).end))
}

fn first_at(time: NaiveTime, zone: Tz, from: DateTime<Utc>) -> DateTime<Utc> {
    let date = from.with_timezone(&zone).date_naive();
    let at = instant_of(zone, date.and_time(time));
    if at >= from {
        at
    } else {
        instant_of(zone, (date + Days::new(1)).and_time(time))
    }
}

/// The windows that were given up or cut short again and again since that was told last, if it is time to tell.
fn failures(job: &JobConfig, history: &History, now: DateTime<Utc>) -> Vec<Trouble> {
    // A time in the future was stamped by a clock that has been set back since.
    let told = history.told.failures.filter(|&told| told <= now + UNEVEN);
    if told.is_some_and(|told| now - told < FOLD) {
        return Vec::new();
    }
    let since = told.unwrap_or(DateTime::UNIX_EPOCH).max(now - LOOK_BACK);
    let what = |last: &Last| {
        let at = last.finished_at.unwrap_or(last.started_at);
        let (attempts, times) = (last.failures, last.times_cut_short());
        match last.outcome {
            _ if at <= since => None,
            Outcome::Failed if attempts > job.retries => Some(What::GaveUp { attempts, at, times: 1 }),
            Outcome::Abandoned if times >= TOO_OFTEN => Some(What::CutShort { times, at }),
            _ => None,
        }
    };
    let trouble = |window: Window, what: What| Trouble {
        job: job.name.clone(),
        window,
        what,
    };
    if job.is_sub_day() {
        // What went well since then says that the failures before it are over.
        return by_instant(job, history, since)
            .map(|(window, what)| trouble(window, what))
            .into_iter()
            .collect();
    }
    let windows = history.windows.iter();
    windows
        .filter_map(|(&window, last)| Some(trouble(window, what(last)?)))
        .collect()
}

/// The newest run of a job by the instant, where it gave up, or where every firing of late failed or was cut short: a firing
/// that a newer one has come after is not tried again. What found nothing to do went well.
fn by_instant(job: &JobConfig, history: &History, since: DateTime<Utc>) -> Option<(Window, What)> {
    let ended_at = |last: &Last| last.finished_at.unwrap_or(last.started_at);
    let ended = history
        .windows
        .iter()
        .filter(|(window, last)| window.instant() > history.last_idle_at && last.outcome != Outcome::Running);
    let mut ended: Vec<(&Window, &Last)> = ended.collect();
    ended.sort_by_key(|(_, last)| std::cmp::Reverse(last.started_at));
    let in_a_row = || {
        ended
            .iter()
            .map(|(_, last)| *last)
            .take_while(|last| last.outcome != Outcome::Succeeded)
    };
    let &(&window, last) = ended.first()?;
    let at = ended_at(last);
    let failures: u32 = in_a_row().map(|last| last.failures).sum();
    let cut_short: u32 = in_a_row().map(Last::times_cut_short).sum();
    let what = match last.outcome {
        _ if at <= since => return None,
        Outcome::Failed if failures > job.retries => What::GaveUp {
            attempts: last.failures,
            at,
            times: in_a_row()
                .filter(|last| last.failures > 0 && ended_at(last) > since)
                .count(),
        },
        Outcome::Abandoned if cut_short >= TOO_OFTEN => What::CutShort { times: cut_short, at },
        _ => return None,
    };
    Some((window, what))
}

/// The windows whose deadline passed within the last week and that are not done, with the deadline.
fn overdue_windows(
    schedule: &Schedule,
    view: &LedgerView,
    job: &JobConfig,
    now: DateTime<Utc>,
) -> Vec<(Window, DateTime<Utc>)> {
    let (Some(_), Some(history)) = (job.deadline, view.jobs.get(&job.name)) else {
        return Vec::new();
    };
    let rule = &schedule.day;
    let from = history.first_seen_at.max(now - LOOK_BACK);
    let is_done = |window: Window| {
        let done = history.windows.get(&window).and_then(|last| last.done);
        // What was made by hand before the window was over is not what was asked for.
        let is_whole = |started_at| {
            window
                .span()
                .is_some_and(|(_, last)| started_at >= rule.finished_at(last))
        };
        done.is_some_and(|done| happens_once(job) || is_whole(done.started_at))
    };
    expected(schedule, view, job, from, now)
        .into_iter()
        .filter_map(|window| Some((window, deadline_of(rule, job, window)?)))
        .filter(|&(window, deadline)| deadline < now && deadline > from && !is_done(window))
        .collect()
}

/// The windows that `job` was to make from `from` on: those it fires for and of which all it comes after were to make
/// something. What makes history was to make every day that has rows, also where its firing was before anybody looked.
fn expected(
    schedule: &Schedule,
    view: &LedgerView,
    job: &JobConfig,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> BTreeSet<Window> {
    let rule = &schedule.day;
    let upstream = job.after.iter().filter_map(|name| schedule.job(name));
    let upstream = upstream.map(|upstream| {
        let made = expected(schedule, view, upstream, from, until).into_iter();
        made.filter_map(|window| job.window_of(window)).collect()
    });
    let upstream = upstream.reduce(|all: BTreeSet<Window>, of_one| &all & &of_one);
    let Some(cron) = &job.cron else {
        return upstream.unwrap_or_default();
    };
    let fired = calendar::firings(rule, job, cron, from, until).into_iter();
    let fired: BTreeSet<Window> = fired.map(|(window, _)| window).collect();
    if !covers(schedule, job) {
        return match upstream {
            Some(upstream) => &upstream & &fired,
            None => fired,
        };
    }
    let with_rows = || {
        // Sealed days leave the buffer; the ledger has them.
        let tried = view.jobs.get(&job.name).map(|history| history.windows.keys().copied());
        let days = view.days_with_rows.iter().map(|&day| job.every.around(day));
        days.chain(tried.into_iter().flatten()).collect()
    };
    let mut windows = upstream.unwrap_or_else(with_rows);
    windows.retain(|window| {
        let ended_at = window.span().map(|(_, last)| rule.span(last).end);
        let at = ended_at.and_then(|end| next_from(cron, job.timezone, end));
        at.is_some_and(|at| at <= until)
    });
    if job.after.is_empty() {
        windows.extend(fired);
    }
    windows
}

/// Whether `job` makes every day that has rows, not only those it fires for.
fn covers(schedule: &Schedule, job: &JobConfig) -> bool {
    let mut upstream = job.after.iter().filter_map(|name| schedule.job(name));
    job.kind == Kind::Compact || (calendar::makes_history(job) && upstream.any(|job| covers(schedule, job)))
}
