//! Jobs whose window is a business day.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Days as CalendarDays, NaiveDate, Utc};

use super::{
    Due, History, Last, LedgerView, NEWS, Plan, Reason, Stream, Waiting, WaitingOn, happens_once, looks_again,
    try_again,
};
use crate::{
    config::schedule::{CatchUp, CronText, JobConfig, Kind, Overlap, Schedule},
    domain::{
        day::DayRule,
        run::{Outcome, Window},
    },
    scheduler::firing::{latest_at, next_after, next_from},
};

/// The day jobs of one plan; each job builds on what was found of those it comes after.
pub(super) struct Days<'p> {
    schedule: &'p Schedule,
    view: &'p LedgerView,
    stream: Stream,
    now: DateTime<Utc>,
    found: BTreeMap<&'p str, Found>,
    /// When days count as finished: asked for by every job, and not cheap to tell where clocks change.
    finished_at: HashMap<NaiveDate, DateTime<Utc>>,
}

/// What was found of one job.
#[derive(Default)]
struct Found {
    /// Covers every day that has rows, not only firings since its first sight.
    covers: bool,
    /// Days it has made, from what is there now; sorted.
    settled: Vec<NaiveDate>,
    /// Days it is to make: due or waiting.
    open: BTreeSet<NaiveDate>,
}

impl Found {
    fn is_settled(&self, day: NaiveDate) -> bool {
        self.settled.binary_search(&day).is_ok()
    }
}

/// How a window stands.
enum Standing {
    Settled,
    Due(Reason, u32),
    Waiting(WaitingOn),
    /// Nobody wants it.
    Nothing,
}

impl<'p> Days<'p> {
    pub(super) fn new(schedule: &'p Schedule, view: &'p LedgerView, stream: Stream, now: DateTime<Utc>) -> Self {
        Days {
            schedule,
            view,
            stream,
            now,
            found: BTreeMap::new(),
            finished_at: HashMap::new(),
        }
    }

    pub(super) fn plan(&mut self, job: &'p JobConfig, plan: &mut Plan) {
        let never = History::new(self.now, None);
        let history = self.view.jobs.get(&job.name).unwrap_or(&never);
        let upstream_covers = job
            .after
            .iter()
            .any(|name| self.found.get(name.as_str()).is_some_and(|found| found.covers));
        let mut found = Found {
            covers: job.kind == Kind::Compact || (makes_days(job) && upstream_covers),
            ..Found::default()
        };

        let mut days: Vec<NaiveDate> = Vec::new();
        self.settle(job, history, &mut found.settled, &mut days);
        let settled = found.settled.len();
        let wanted = if job.enabled {
            self.wanted(job, history, &found)
        } else {
            BTreeMap::new()
        };
        days.extend(wanted.keys());
        days.sort_unstable();
        days.dedup();

        let running = history.running().map(|(window, _)| window);
        for day in days {
            let window = Window::Day(day);
            let scheduled_at = wanted.get(&day).copied();
            let last = history.windows.get(&window);
            match self.standing(job, day, last, scheduled_at) {
                Standing::Settled => found.settled.push(day),
                Standing::Nothing => {}
                Standing::Due(reason, attempt) => {
                    found.open.insert(day);
                    let scheduled_at = scheduled_at.or(last.map(|last| last.scheduled_at)).unwrap_or(self.now);
                    match running {
                        Some(other) if other != window && job.overlap == Overlap::Queue => {
                            let since = history.windows[&other].started_at;
                            plan.waiting.push(Waiting {
                                job: job.name.clone(),
                                window,
                                on: WaitingOn::Running { since },
                            });
                        }
                        _ => plan.due.push(Due {
                            job: job.name.clone(),
                            window,
                            scheduled_at,
                            attempt,
                            reason,
                        }),
                    }
                }
                Standing::Waiting(on) => {
                    found.open.insert(day);
                    plan.waiting.push(Waiting {
                        job: job.name.clone(),
                        window,
                        on,
                    });
                }
            }
        }
        if found.settled.len() > settled {
            found.settled.sort_unstable();
        }
        self.found.insert(&job.name, found);
    }

    /// Tells the days of `history` that are plainly settled, as nearly all are, from those to be looked at: a year of a
    /// thousand jobs is not gone through at length every five seconds.
    fn settle(&mut self, job: &JobConfig, history: &History, settled: &mut Vec<NaiveDate>, open: &mut Vec<NaiveDate>) {
        let rule = &self.schedule.day;
        let once = happens_once(job);
        let mut upstream: Vec<_> = job
            .after
            .iter()
            .filter_map(|name| self.view.jobs.get(name))
            .map(|history| history.windows.iter().peekable())
            .collect();
        let passing: Vec<_> = job
            .after
            .iter()
            .filter_map(|name| self.found.get(name.as_str()))
            .collect();
        for (&window, last) in &history.windows {
            let Some(day) = window.day() else { continue };
            let finished_at = *self.finished_at.entry(day).or_insert_with(|| rule.finished_at(day));
            let done = last
                .done
                .filter(|done| last.outcome == Outcome::Succeeded && (once || done.started_at >= finished_at));
            let is_settled = done.is_some_and(|done| {
                // Both go by the day: each window upstream is passed once.
                let is_newer = upstream.iter_mut().any(|windows| {
                    while windows.next_if(|(other, _)| **other < window).is_some() {}
                    let same = windows.peek().filter(|(other, _)| **other == window);
                    let made = same.and_then(|(_, last)| last.done);
                    made.is_some_and(|made| made.finished_at > done.started_at)
                });
                let is_late = job.kind == Kind::Compact && self.view.late_days.contains(&day);
                !is_newer && !is_late && !passing.iter().any(|found| found.open.contains(&day))
            });
            if is_settled {
                settled.push(day);
            } else {
                open.push(day);
            }
        }
    }

    /// The days that `job` is to make by now and has not settled, each with the instant it was meant to at.
    fn wanted(&self, job: &JobConfig, history: &History, found: &Found) -> BTreeMap<NaiveDate, DateTime<Utc>> {
        let mut wanted = BTreeMap::new();
        match &job.cron {
            Some(cron) => {
                self.fired(job, cron, history, &mut wanted);
                if found.covers {
                    self.covered(job, cron, history, found, &mut wanted);
                }
            }
            None => self.followed(job, history, found, &mut wanted),
        }
        wanted.retain(|day, _| !found.is_settled(*day));
        wanted
    }

    /// The firings since the job's first sight, as far as they are to be made good.
    fn fired(
        &self,
        job: &JobConfig,
        cron: &CronText,
        history: &History,
        wanted: &mut BTreeMap<NaiveDate, DateTime<Utc>>,
    ) {
        let rule = &self.schedule.day;
        let too_old = self.now - job.catch_up_window;
        let from = match job.catch_up {
            CatchUp::All => too_old,
            CatchUp::Last => latest_at(cron, job.timezone, self.now)
                .map_or(self.now, |newest| newest - chrono::TimeDelta::seconds(1))
                .max(too_old),
            CatchUp::None => self.view.up_since - chrono::TimeDelta::seconds(1),
        };
        for (day, at) in firings(rule, job, cron, from.max(history.first_seen_at), self.now) {
            let other_ran = |window: &Window| *window != Window::Day(day);
            let dropped = job.overlap == Overlap::Skip
                && !history.windows.contains_key(&Window::Day(day))
                && history.windows.keys().any(other_ran)
                && history.was_running_at(at);
            if !dropped {
                wanted.insert(day, at);
            }
        }
    }

    /// The days that have rows, from the first firing after their end on.
    fn covered(
        &self,
        job: &JobConfig,
        cron: &CronText,
        history: &History,
        found: &Found,
        wanted: &mut BTreeMap<NaiveDate, DateTime<Utc>>,
    ) {
        let rule = &self.schedule.day;
        let days: BTreeSet<NaiveDate> = if job.after.is_empty() {
            self.view.days_with_rows.clone()
        } else {
            self.upstream_days(job, found)
        };
        for day in days {
            let is_made = |last: &Last| last.outcome == Outcome::Succeeded && last.started_at >= rule.finished_at(day);
            if wanted.contains_key(&day) || history.windows.get(&Window::Day(day)).is_some_and(is_made) {
                continue;
            }
            if let Some(at) = next_from(cron, job.timezone, rule.span(day).end).filter(|&at| at <= self.now) {
                wanted.insert(day, at);
            }
        }
    }

    /// The days that what it comes after has made or is about to make.
    fn followed(
        &self,
        job: &JobConfig,
        history: &History,
        found: &Found,
        wanted: &mut BTreeMap<NaiveDate, DateTime<Utc>>,
    ) {
        let rule = &self.schedule.day;
        let mut days = self.upstream_days(job, found);
        if !found.covers {
            let first = rule.day_of(history.first_seen_at);
            let oldest = match job.catch_up {
                CatchUp::All => rule.day_of(self.now - job.catch_up_window),
                CatchUp::Last => self
                    .newest_upstream(job)
                    .unwrap_or(first)
                    .max(rule.day_of(self.now - job.catch_up_window)),
                CatchUp::None => rule.day_of(self.view.up_since),
            };
            days = days.split_off(&first.max(oldest));
        }
        for day in days {
            let upstream_at = job.after.iter().filter_map(|name| self.done_at(name, day)).max();
            wanted.insert(day, upstream_at.unwrap_or_else(|| rule.finished_at(day)));
        }
    }

    /// The days that `job` could make, without those it has settled.
    fn upstream_days(&self, job: &JobConfig, own: &Found) -> BTreeSet<NaiveDate> {
        let upstream = job.after.iter().filter_map(|name| self.found.get(name.as_str()));
        upstream
            .flat_map(|found| found.settled.iter().chain(&found.open))
            .copied()
            .filter(|day| !own.is_settled(*day))
            .collect()
    }

    fn newest_upstream(&self, job: &JobConfig) -> Option<NaiveDate> {
        let upstream = job.after.iter().filter_map(|name| self.found.get(name.as_str()));
        upstream
            .flat_map(|found| found.settled.last().into_iter().chain(found.open.last()))
            .max()
            .copied()
    }

    fn done_at(&self, job: &str, day: NaiveDate) -> Option<DateTime<Utc>> {
        Some(self.view.last(job, Window::Day(day))?.done?.finished_at)
    }

    fn standing(
        &self,
        job: &JobConfig,
        day: NaiveDate,
        last: Option<&Last>,
        wanted: Option<DateTime<Utc>>,
    ) -> Standing {
        let rule = &self.schedule.day;
        let once = happens_once(job);
        let finished_at = rule.finished_at(day);
        // What was made by hand before the day was over has to be made again.
        let done = last
            .and_then(|last| last.done)
            .filter(|done| once || done.started_at >= finished_at);
        let upstream_at = job.after.iter().filter_map(|name| self.done_at(name, day)).max();
        let made_from_newer = |than: DateTime<Utc>| upstream_at.is_some_and(|at| at > than);
        let is_late = job.kind == Kind::Compact
            && self.view.late_days.contains(&day)
            && done.zip(job.cron.as_ref()).is_some_and(|(done, cron)| {
                next_after(cron, job.timezone, done.finished_at).is_some_and(|next| next <= self.now)
            });
        let outcome = last.map(|last| last.outcome);
        let is_open = matches!(outcome, Some(Outcome::Failed | Outcome::Abandoned));

        if outcome == Some(Outcome::Running) {
            let since = last.map_or(self.now, |last| last.started_at);
            return Standing::Waiting(WaitingOn::Running { since });
        }
        let restate = done.is_some_and(|done| made_from_newer(done.started_at)) || is_late;
        // Something upstream is about to be made again: this will be, too.
        let is_passing = done.is_some()
            && job.after.iter().any(|name| {
                self.found
                    .get(name.as_str())
                    .is_some_and(|found| found.open.contains(&day))
            });
        let looks_again = once && restate && looks_again(job) && self.now - rule.span(day).end <= NEWS;
        if done.is_some() && !looks_again && (once || (!restate && !is_open && !is_passing)) {
            return Standing::Settled;
        }
        if !job.enabled || (wanted.is_none() && !is_open && !restate && !is_passing) {
            return Standing::Nothing;
        }
        if self.now < finished_at {
            return Standing::Waiting(WaitingOn::DayEnd { until: finished_at });
        }
        let day_end = rule.span(day).end;
        if job.after.is_empty()
            && job.kind.needs_day()
            && !self.stream.caught_up
            && self.stream.watermark.is_none_or(|watermark| watermark < day_end)
        {
            return Standing::Waiting(WaitingOn::Ingest {
                watermark: self.stream.watermark,
                day_end,
            });
        }
        let unsettled = |name: &&String| !self.found.get(name.as_str()).is_some_and(|found| found.is_settled(day));
        let waits_for: Vec<String> = job.after.iter().filter(unsettled).cloned().collect();
        if !waits_for.is_empty() {
            return Standing::Waiting(WaitingOn::Upstream { jobs: waits_for });
        }
        match last {
            // What it is made from has changed since it failed: that failure says nothing any more.
            Some(last) if is_open && !made_from_newer(last.started_at) => {
                match try_again(job, Window::Day(day), last, self.now) {
                    Ok(reason) => Standing::Due(reason, last.attempt + 1),
                    Err(on) => Standing::Waiting(on),
                }
            }
            Some(_) if restate => Standing::Due(Reason::Restate, 1),
            _ => {
                let missed = wanted.is_some_and(|at| at < self.view.up_since);
                Standing::Due(if missed { Reason::CatchUp } else { Reason::Schedule }, 1)
            }
        }
    }
}

/// Whether the job's result is a day of history, rather than a mail or housekeeping.
fn makes_days(job: &JobConfig) -> bool {
    job.kind.needs_day() && !happens_once(job)
}

/// The firings of `cron` after `from` and up to `until`, with the days they are about: the one that ended last, and
/// for a job that fires on every date also any that a clock change or a difference of zones put between two firings.
pub(super) fn firings(
    rule: &DayRule,
    job: &JobConfig,
    cron: &CronText,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<(NaiveDate, DateTime<Utc>)> {
    let mut found = Vec::new();
    let mut reached = latest_at(cron, job.timezone, from).map(|at| last_ended(rule, at));
    let mut at = from;
    while let Some(next) = next_after(cron, job.timezone, at).filter(|&next| next <= until) {
        let newest = last_ended(rule, next);
        let oldest = reached
            .filter(|_| cron.is_every_date())
            .map_or(newest, |reached| reached + CalendarDays::new(1));
        found.extend(
            oldest
                .iter_days()
                .take_while(|&day| day <= newest)
                .map(|day| (day, next)),
        );
        reached = Some(newest);
        at = next;
    }
    found
}

/// The newest day that is over at `instant`, whether or not it waits for late lines.
pub(super) fn last_ended(rule: &DayRule, instant: DateTime<Utc>) -> NaiveDate {
    rule.day_of(instant) - CalendarDays::new(1)
}
