//! Jobs whose window is a business day, or a week or a month of them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::{
    Due, History, Last, LedgerView, NEWS, Plan, Reason, Stream, Waiting, WaitingOn, happens_once, looks_again,
    next_run, try_again,
};
use crate::{
    config::schedule::{CatchUp, CronText, JobConfig, Kind, Overlap, Schedule},
    domain::{
        day::DayRule,
        run::Outcome,
        window::{Period, Window},
    },
    scheduler::firing::{latest_at, next_after, next_from},
};

/// The jobs of one plan that make days; each builds on what was found of those it comes after.
pub(super) struct Calendar<'p> {
    schedule: &'p Schedule,
    view: &'p LedgerView,
    stream: Stream,
    now: DateTime<Utc>,
    found: BTreeMap<&'p str, Found>,
    /// When windows count as finished, by their last day: asked for by every job, and not cheap to tell where clocks change.
    finished_at: RefCell<HashMap<NaiveDate, DateTime<Utc>>>,
}

/// What was found of one job.
struct Found {
    every: Period,
    /// Covers every day that has rows, not only firings since its first sight.
    covers: bool,
    /// Windows it has made, from what is there now; sorted.
    settled: Vec<Window>,
    /// Windows it is to make: due or waiting.
    open: BTreeSet<Window>,
}

impl Found {
    fn is_settled(&self, window: Window) -> bool {
        self.settled.binary_search(&window).is_ok()
    }

    /// Whether it is to make something that belongs to `window` of another job.
    fn is_passing(&self, window: Window) -> bool {
        !self.open.is_empty() && window.parts(self.every).any(|part| self.open.contains(&part))
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

impl<'p> Calendar<'p> {
    pub(super) fn new(schedule: &'p Schedule, view: &'p LedgerView, stream: Stream, now: DateTime<Utc>) -> Self {
        Calendar {
            schedule,
            view,
            stream,
            now,
            found: BTreeMap::new(),
            finished_at: RefCell::default(),
        }
    }

    pub(super) fn plan(&mut self, job: &'p JobConfig, plan: &mut Plan) {
        let never = History::new(self.now, None);
        let history = self.view.jobs.get(&job.name).unwrap_or(&never);
        let upstream_covers = self.upstream(job).any(|(_, found)| found.covers);
        let mut found = Found {
            every: job.every,
            covers: job.kind == Kind::Compact || (makes_history(job) && upstream_covers),
            settled: Vec::new(),
            open: BTreeSet::new(),
        };

        let mut windows: Vec<Window> = Vec::new();
        self.settle(job, history, &mut found.settled, &mut windows);
        let settled = found.settled.len();
        let wanted = if job.enabled {
            self.wanted(job, history, &found)
        } else {
            BTreeMap::new()
        };
        windows.extend(wanted.keys());
        windows.sort_unstable();
        windows.dedup();

        let running = history.running().map(|(window, _)| window);
        for window in windows {
            let scheduled_at = wanted.get(&window).copied();
            let last = history.windows.get(&window);
            match self.standing(job, window, last, scheduled_at) {
                Standing::Settled => found.settled.push(window),
                Standing::Nothing => {}
                Standing::Due(reason, attempt) => {
                    found.open.insert(window);
                    let scheduled_at = scheduled_at.or(last.map(|last| last.scheduled_at)).unwrap_or(self.now);
                    match running {
                        Some(behind) if behind != window && job.overlap == Overlap::Queue => {
                            let tries = last.filter(|_| attempt > 1);
                            let on = WaitingOn::Turn {
                                behind,
                                failures: tries.map_or(0, |last| last.failures),
                                cut_short: tries.map_or(0, Last::times_cut_short),
                            };
                            plan.waiting.push(Waiting {
                                job: job.name.clone(),
                                window,
                                on,
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
                    found.open.insert(window);
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

    /// Tells the windows of `history` that are plainly settled, as nearly all are, from those to be looked at: a year of a
    /// thousand jobs is not gone through at length every five seconds.
    fn settle(&self, job: &JobConfig, history: &History, settled: &mut Vec<Window>, open: &mut Vec<Window>) {
        let rule = &self.schedule.day;
        let once = happens_once(job);
        let mut known = self.finished_at.borrow_mut();
        let (same, parts): (Vec<_>, Vec<_>) = self.upstream(job).partition(|(_, found)| found.every == job.every);
        let mut same: Vec<_> = same
            .into_iter()
            .filter_map(|(name, found)| Some((found, self.view.jobs.get(name)?.windows.iter().peekable())))
            .collect();
        for (&window, last) in &history.windows {
            let (Some((_, last_day)), true) = (window.span(), window.period() == Some(job.every)) else {
                continue;
            };
            let finished_at = *known.entry(last_day).or_insert_with(|| rule.finished_at(last_day));
            let done = last
                .done
                .filter(|done| last.outcome == Outcome::Succeeded && (once || done.started_at >= finished_at));
            let is_settled = done.is_some_and(|done| {
                // Both go by time: each window upstream is passed once.
                let is_newer = same.iter_mut().any(|(_, windows)| {
                    while windows.next_if(|(other, _)| **other < window).is_some() {}
                    let same = windows.peek().filter(|(other, _)| **other == window);
                    let made = same.and_then(|(_, last)| last.done);
                    made.is_some_and(|made| made.finished_at > done.started_at)
                });
                let is_made_newer = parts.iter().any(|(name, found)| {
                    let made = window
                        .parts(found.every)
                        .filter_map(|part| self.view.last(name, part)?.done);
                    made.into_iter().any(|made| made.finished_at > done.started_at)
                });
                let is_late =
                    job.kind == Kind::Compact && window.day().is_some_and(|day| self.view.late_days.contains(&day));
                let is_passing = || {
                    let upstream = same.iter().map(|(found, _)| *found);
                    upstream
                        .chain(parts.iter().map(|(_, found)| *found))
                        .any(|found| found.is_passing(window))
                };
                !is_newer && !is_made_newer && !is_late && !is_passing()
            });
            if is_settled {
                settled.push(window);
            } else {
                open.push(window);
            }
        }
    }

    /// The windows that `job` is to make by now and has not settled, each with the instant it was meant to at.
    fn wanted(&self, job: &JobConfig, history: &History, found: &Found) -> BTreeMap<Window, DateTime<Utc>> {
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
        wanted.retain(|window, _| !found.is_settled(*window));
        wanted
    }

    /// The firings since the job's first sight, as far as they are to be made good.
    fn fired(&self, job: &JobConfig, cron: &CronText, history: &History, wanted: &mut BTreeMap<Window, DateTime<Utc>>) {
        let rule = &self.schedule.day;
        let too_old = self.now - job.catch_up_window;
        let from = match job.catch_up {
            CatchUp::All => too_old,
            CatchUp::Last => latest_at(cron, job.timezone, self.now)
                .map_or(self.now, |newest| newest - TimeDelta::seconds(1))
                .max(too_old),
            CatchUp::None => self.view.up_since - TimeDelta::seconds(1),
        };
        for (window, at) in firings(rule, job, cron, from.max(history.first_seen_at), self.now) {
            let other_ran = |other: &Window| *other != window;
            let dropped = job.overlap == Overlap::Skip
                && !history.windows.contains_key(&window)
                && history.windows.keys().any(other_ran)
                && history.was_running_at(at);
            if !dropped {
                wanted.insert(window, at);
            }
        }
    }

    /// The windows that have days with rows, from the first firing after their end on.
    fn covered(
        &self,
        job: &JobConfig,
        cron: &CronText,
        history: &History,
        found: &Found,
        wanted: &mut BTreeMap<Window, DateTime<Utc>>,
    ) {
        let rule = &self.schedule.day;
        let windows: BTreeSet<Window> = if job.after.is_empty() {
            let days = self.view.days_with_rows.iter();
            days.map(|&day| job.every.around(day)).collect()
        } else {
            self.upstream_windows(job, found)
        };
        for window in windows {
            let last_day = last_day(window);
            let is_made =
                |last: &Last| last.outcome == Outcome::Succeeded && last.started_at >= rule.finished_at(last_day);
            if wanted.contains_key(&window) || history.windows.get(&window).is_some_and(is_made) {
                continue;
            }
            if let Some(at) = next_from(cron, job.timezone, rule.span(last_day).end).filter(|&at| at <= self.now) {
                wanted.insert(window, at);
            }
        }
    }

    /// The windows that what it comes after has made or is about to make.
    fn followed(
        &self,
        job: &JobConfig,
        history: &History,
        found: &Found,
        wanted: &mut BTreeMap<Window, DateTime<Utc>>,
    ) {
        let rule = &self.schedule.day;
        let mut windows = self.upstream_windows(job, found);
        if !found.covers {
            let from = match job.catch_up {
                CatchUp::All | CatchUp::Last => self.now - job.catch_up_window,
                CatchUp::None => self.view.up_since,
            };
            // What fired before anybody looked is not made, however late what it comes after was done.
            let from = from.max(history.first_seen_at);
            windows.retain(|&window| self.fires_at(job, window).is_none_or(|at| at > from));
            if job.catch_up == CatchUp::Last
                && let Some(newest) = self.newest_upstream(job)
            {
                windows = windows.split_off(&newest);
            }
        }
        for window in windows {
            let at = self.upstream_made_at(job, window);
            wanted.insert(window, at.unwrap_or_else(|| rule.finished_at(last_day(window))));
        }
    }

    /// When `window` of `job` is to be made: at the first firing after its end, of the last of what it comes after.
    fn fires_at(&self, job: &JobConfig, window: Window) -> Option<DateTime<Utc>> {
        if let Some(cron) = &job.cron {
            let end = self.schedule.day.span(last_day(window)).end;
            return next_from(cron, job.timezone, end);
        }
        let upstream = job.after.iter().filter_map(|name| self.schedule.job(name));
        upstream.filter_map(|upstream| self.fires_at(upstream, window)).max()
    }

    /// What was found of the jobs that `job` comes after, with their names.
    fn upstream<'j>(&self, job: &'j JobConfig) -> impl Iterator<Item = (&'j str, &Found)> {
        let named = |name: &'j String| Some((name.as_str(), self.found.get(name.as_str())?));
        job.after.iter().filter_map(named)
    }

    /// The windows that `job` could make, without those it has settled.
    fn upstream_windows(&self, job: &JobConfig, own: &Found) -> BTreeSet<Window> {
        let mut windows = BTreeSet::new();
        for (_, found) in self.upstream(job) {
            // Both go by time: each window is passed once. Around days of one week there is that week several times.
            let mut settled = own.settled.iter().peekable();
            let made = found.settled.iter().filter_map(|&window| self.around(job, window));
            windows.extend(made.filter(|window| {
                while settled.next_if(|own| *own < window).is_some() {}
                settled.peek() != Some(&window)
            }));
            let open = found.open.iter().filter_map(|&window| self.around(job, window));
            windows.extend(open.filter(|window| !own.is_settled(*window)));
        }
        windows
    }

    fn newest_upstream(&self, job: &JobConfig) -> Option<Window> {
        let newest = self
            .upstream(job)
            .flat_map(|(_, found)| found.settled.last().into_iter().chain(found.open.last()));
        newest.filter_map(|&window| self.around(job, window)).max()
    }

    /// The window of `job` that a window of what it comes after is in.
    fn around(&self, job: &JobConfig, window: Window) -> Option<Window> {
        if window.period() == Some(job.every) {
            return Some(window);
        }
        window.day().map(|day| job.every.around(day))
    }

    /// When the last of what `window` is made from was made.
    fn upstream_made_at(&self, job: &JobConfig, window: Window) -> Option<DateTime<Utc>> {
        let made = self.upstream(job).flat_map(|(name, found)| {
            let done = window
                .parts(found.every)
                .filter_map(|part| self.view.last(name, part)?.done);
            done.map(|done| done.finished_at).max()
        });
        made.max()
    }

    /// Whether `window` has to wait for the job called `name`, as that has something of it to make still. Of the days of a
    /// longer window those count that it is to make: a day that nobody wants keeps no week back.
    fn waits_for(&self, name: &str, window: Window) -> bool {
        let Some(found) = self.found.get(name) else { return true };
        if window.period() == Some(found.every) {
            return !found.is_settled(window);
        }
        let last = last_day(window);
        found.is_passing(window) || (!found.is_settled(Window::Day(last)) && self.is_yet_to_fire(name, last))
    }

    /// Whether there is and will be nothing that `window` could be made from: all its days passed before anybody looked.
    fn has_no_parts(&self, job: &JobConfig, window: Window) -> bool {
        self.upstream(job).any(|(name, found)| {
            let is_none = |part| !found.is_settled(part) && !found.open.contains(&part);
            window.period() != Some(found.every)
                && window.parts(found.every).all(is_none)
                && !self.is_yet_to_fire(name, last_day(window))
        })
    }

    /// Whether the firing that is about `day` is to come.
    fn is_yet_to_fire(&self, job: &str, day: NaiveDate) -> bool {
        let from = self.schedule.day.span(day).end - TimeDelta::seconds(1);
        let next = self
            .schedule
            .job(job)
            .and_then(|job| next_run(self.schedule, job, from));
        next.is_some_and(|at| at > self.now)
    }

    fn standing(
        &self,
        job: &JobConfig,
        window: Window,
        last: Option<&Last>,
        wanted: Option<DateTime<Utc>>,
    ) -> Standing {
        let rule = &self.schedule.day;
        let once = happens_once(job);
        let last_day = last_day(window);
        let (ends_at, finished_at) = (rule.span(last_day).end, rule.finished_at(last_day));
        // What was made by hand before the window was over has to be made again.
        let done = last
            .and_then(|last| last.done)
            .filter(|done| once || done.started_at >= finished_at);
        let upstream_at = self.upstream_made_at(job, window);
        let made_from_newer = |than: DateTime<Utc>| upstream_at.is_some_and(|at| at > than);
        let is_late = job.kind == Kind::Compact
            && self.view.late_days.contains(&last_day)
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
        let is_passing = done.is_some() && self.upstream(job).any(|(_, found)| found.is_passing(window));
        let looks_again = once && restate && looks_again(job) && self.now - ends_at <= NEWS;
        if done.is_some() && !looks_again && (once || (!restate && !is_open && !is_passing)) {
            return Standing::Settled;
        }
        if !job.enabled || (wanted.is_none() && !is_open && !restate && !is_passing) {
            return Standing::Nothing;
        }
        if self.now < finished_at {
            let period = job.every;
            return Standing::Waiting(WaitingOn::End {
                period,
                until: finished_at,
            });
        }
        if job.after.is_empty()
            && job.kind.needs_day()
            && !self.stream.caught_up
            && self.stream.watermark.is_none_or(|watermark| watermark < ends_at)
        {
            return Standing::Waiting(WaitingOn::Ingest {
                watermark: self.stream.watermark,
                day_end: ends_at,
            });
        }
        if self.has_no_parts(job, window) {
            return Standing::Nothing;
        }
        let upstream = job.after.iter().filter(|name| self.waits_for(name, window));
        let waits_for: Vec<String> = upstream.cloned().collect();
        if !waits_for.is_empty() {
            return Standing::Waiting(WaitingOn::Upstream { jobs: waits_for });
        }
        match last {
            // What it is made from has changed since it failed: that failure says nothing any more.
            Some(last) if is_open && !made_from_newer(last.started_at) => {
                match try_again(job, window, last, self.view.up_since, self.now) {
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

/// Whether the job's result is of history, rather than a mail or housekeeping.
pub(super) fn makes_history(job: &JobConfig) -> bool {
    job.kind.needs_day() && !happens_once(job)
}

/// The last business day of a window that has days.
fn last_day(window: Window) -> NaiveDate {
    let (_, last) = window.span().expect("these jobs do not run by the instant");
    last
}

/// The firings of `cron` after `from` and up to `until`, with the windows they are about: the one that ended last, and
/// for a job that fires on every date also any that a clock change or a difference of zones put between two firings.
pub(super) fn firings(
    rule: &DayRule,
    job: &JobConfig,
    cron: &CronText,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<(Window, DateTime<Utc>)> {
    let mut found = Vec::new();
    let mut reached = latest_at(cron, job.timezone, from).map(|at| last_ended(rule, job.every, at));
    let mut at = from;
    while let Some(next) = next_after(cron, job.timezone, at).filter(|&next| next <= until) {
        let newest = last_ended(rule, job.every, next);
        let oldest = reached
            .filter(|_| cron.is_every_date())
            .and_then(Window::after)
            .unwrap_or(newest);
        found.extend(oldest.up_to(newest).map(|window| (window, next)));
        reached = Some(newest);
        at = next;
    }
    found
}

/// The newest window that is over at `instant`, whether or not it waits for late lines.
pub(super) fn last_ended(rule: &DayRule, every: Period, instant: DateTime<Utc>) -> Window {
    every.last_over(rule.day_of(instant) - Days::new(1))
}
