//! Jobs that run more often than daily: their window is the firing itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Due, Last, LedgerView, Plan, Reason, UNEVEN, Waiting, WaitingOn, try_again};
use crate::{
    config::schedule::{CatchUp, JobConfig, Overlap},
    domain::{run::Outcome, window::Window},
    scheduler::firing::{latest_at, next_after},
};

/// No more firings than this are made good at once; the rest follows when they are done.
const AT_ONCE: usize = 1_000;

pub(super) fn plan(job: &JobConfig, view: &LedgerView, now: DateTime<Utc>, plan: &mut Plan) {
    let (Some(cron), Some(history), true) = (&job.cron, view.jobs.get(&job.name), job.enabled) else {
        return;
    };
    let running = history.running();
    if let Some((window, last)) = running {
        let on = WaitingOn::Running { since: last.started_at };
        plan.waiting.push(Waiting {
            job: job.name.clone(),
            window,
            on,
        });
        if job.overlap != Overlap::Cancel {
            return;
        }
    }
    let since = match history.answered {
        // The clock was set back by a moment: nothing fires again before it is where it was.
        Some(answered) if answered > now && answered - now <= UNEVEN => now,
        // It was set back by more than anybody should wait for: what fires from then on is answered.
        Some(answered) if answered > now => view.up_since,
        Some(answered) => answered,
        None => history.first_seen_at,
    };
    let after = since.max(history.first_seen_at).min(now);
    let newest = latest_at(cron, job.timezone, now).filter(|&newest| newest > after);
    let firings = match (job.catch_up, newest) {
        (_, None) => Vec::new(),
        (CatchUp::All, Some(newest)) => {
            // A firing that was due now is not too old, however short the window.
            let from = after.max((now - job.catch_up_window).min(newest - TimeDelta::seconds(1)));
            let next = |&at: &DateTime<Utc>| next_after(cron, job.timezone, at);
            std::iter::successors(next(&from), next)
                .take_while(|&at| at <= now)
                .take(AT_ONCE)
                .collect()
        }
        (CatchUp::Last, Some(newest)) => {
            Vec::from_iter((newest >= now - job.catch_up_window || newest >= view.up_since).then_some(newest))
        }
        (CatchUp::None, Some(newest)) => Vec::from_iter((newest >= view.up_since).then_some(newest)),
    };
    let is_answered = |at| {
        history
            .windows
            .get(&Window::Instant(at))
            .is_some_and(|last| last.is_firing)
    };
    let dropped = |at| is_answered(at) || (job.overlap == Overlap::Skip && history.was_running_at(at));
    let mut firings: Vec<_> = firings.into_iter().filter(|&at| !dropped(at)).collect();
    let mut again = |window: Window, last: &Last| match try_again(job, window, last, view.up_since, now) {
        Ok(reason) => plan.due.push(Due {
            job: job.name.clone(),
            window,
            scheduled_at: last.scheduled_at,
            attempt: last.attempt + 1,
            reason,
        }),
        Err(on) => plan.waiting.push(Waiting {
            job: job.name.clone(),
            window,
            on,
        }),
    };
    let newest = history.newest_by_instant();
    if running.is_none() {
        // Where each firing counts, one that was cut short is made although newer ones have come.
        let counts = |window: &Window, last: &Last| {
            let is_cut_short = job.catch_up == CatchUp::All && last.is_firing && last.outcome == Outcome::Abandoned;
            is_cut_short && window.instant() >= Some(now - job.catch_up_window)
        };
        // Nothing newer has come: a run that failed may be tried again.
        let is_last = |window: &Window, last: &Last| {
            firings.is_empty() && newest.is_some_and(|(newest, _)| newest == *window) && is_open(last.outcome)
        };
        let open = history.windows.iter();
        open.filter(|(window, last)| counts(window, last) || is_last(window, last))
            .for_each(|(window, last)| again(*window, last));
        if firings.is_empty() {
            return;
        }
    }
    firings.sort_unstable();
    plan.due.extend(firings.into_iter().map(|at| Due {
        job: job.name.clone(),
        window: Window::Instant(at),
        scheduled_at: at,
        attempt: 1,
        reason: if at < view.up_since {
            Reason::CatchUp
        } else {
            Reason::Schedule
        },
    }));
}

fn is_open(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Abandoned)
}
