//! `deloton plan`: what is due, what was missed and what comes, before anything happens.

use std::{collections::BTreeSet, io::Write};

use anyhow::bail;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::{PointInTime, counted, run_command};
use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::window::Window,
    scheduler::plan::{
        Due, LedgerView, MOST_COUNTED, Plan, Reason, Stream, Trouble, WaitingOn, What, deadline_of, foretold,
        held_up_by, late, missed, next_run, next_runs, plan as plan_at, untold,
    },
};

/// Show what is due, what was missed, and what will run.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct PlanArgs {
    /// As if it were this time: 2026-11-23, "2026-11-23 08:00" on the clocks of the company's day, or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub at: Option<PointInTime>,

    /// How far to look ahead. Default: a day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<PointInTime>,
}

/// What the plan tells of mails: who gets them, and which are written already.
#[derive(Debug, Clone, Default)]
pub struct Mails {
    /// Recipients of the daily report, those marked who unsubscribed.
    pub report_to: Vec<String>,
    /// Recipients of mails about jobs that failed or are late, likewise.
    pub failures_to: Vec<String>,
    /// Days whose report was mailed, or is in the send ledger: nobody gets it twice.
    pub reported: BTreeSet<NaiveDate>,
    /// Messages that wait in the send ledger.
    pub waiting: u64,
}

/// Writes the plan: due, waiting, missed, next, and the mails. Changes nothing.
///
/// # Errors
/// When it is to end before it begins, or `out` cannot be written.
pub fn plan(
    args: &PlanArgs,
    schedule: &Schedule,
    view: &LedgerView,
    stream: Stream,
    mails: &Mails,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let zone = schedule.day.timezone;
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string();
    let now = args.at.map_or(now, |at| at.instant(zone));
    let until = args.until.map_or(now + TimeDelta::days(1), |until| until.instant(zone));
    if until < now {
        bail!(
            "the plan cannot end before it begins: --until is {}, and it begins at {} (--at)",
            local(until),
            local(now)
        );
    }
    let planned = plan_at(schedule, view, stream, now);
    let mail_job = |job: &str| schedule.job(job).filter(|job| matches!(job.kind, Kind::Notify { .. }));
    let held_up = |job: &JobConfig, window| held_up_by(schedule, view, &planned, job, window);
    let mail = |job: &str, window: Window| match mail_job(job) {
        None => "",
        Some(_) if window.day().is_some_and(|day| mails.reported.contains(&day)) => "",
        Some(job) if held_up(job, window).is_some() => "  (no mail goes out)",
        Some(_) => "  (a mail goes out)",
    };

    writeln!(out, "at {}", local(now))?;
    writeln!(out, "\ndue now")?;
    for (place, due) in planned.due.iter().enumerate() {
        let is_tick = |other: &&Due| other.job == due.job && other.window.instant().is_some();
        if is_tick(&due) && planned.due[..place].iter().any(|other| is_tick(&other)) {
            // Told with the first of them: nobody reads a thousand lines of a job that runs by the second.
            continue;
        }
        let ticks = planned.due.iter().filter(is_tick).count();
        let about = if ticks > 1 {
            firings(ticks)
        } else {
            window(due.window, &local)
        };
        let why = match due.reason {
            Reason::CatchUp => format!("missed at {}", local(due.scheduled_at)),
            Reason::Retry => format!("try {}", due.attempt),
            Reason::Abandoned => "its last run was cut short".to_owned(),
            Reason::Restate => "what it is made from was made again".to_owned(),
            _ => format!("since {}", local(due.scheduled_at)),
        };
        let and_later = if ticks > 1 { ", and later" } else { "" };
        writeln!(
            out,
            "  {:<28} {about:<20} {why}{and_later}{}",
            due.job,
            mail(&due.job, due.window)
        )?;
    }
    if planned.due.is_empty() {
        writeln!(out, "  nothing")?;
    }
    let is_planned = |job: &str, window: Window| {
        let is_due = planned.due.iter().any(|due| due.job == job && due.window == window);
        let mut waiting = planned.waiting.iter();
        is_due || waiting.any(|waiting| waiting.job == job && waiting.window == window)
    };
    let mut never_began = late(schedule, view, now);
    never_began.retain(|(job, window, _)| !is_planned(&job.name, *window));
    if !planned.waiting.is_empty() || !never_began.is_empty() {
        writeln!(out, "\nwaiting")?;
    }
    for waiting in &planned.waiting {
        write!(
            out,
            "  {:<28} {:<20} {}",
            waiting.job,
            window(waiting.window, &local),
            waiting.on
        )?;
        if matches!(waiting.on, WaitingOn::GaveUp { .. }) {
            write!(out, "; run `{}`", run_command(&waiting.job, waiting.window))?;
        }
        writeln!(out, "{}", mail(&waiting.job, waiting.window))?;
    }
    for (job, late, deadline) in never_began {
        let why = match held_up(job, late) {
            Some(cause) => format!("`{}` {}", cause.job, cause.why),
            None => "it never began".to_owned(),
        };
        let (late, by) = (window(late, &local), local(deadline));
        writeln!(out, "  {:<28} {late:<20} {why}; it was to be done by {by}", job.name)?;
    }
    let missed = missed(schedule, view, &planned, now);
    if !missed.is_empty() {
        writeln!(out, "\nmissed, and not made good")?;
    }
    for missed in missed {
        let (from, to) = (window(missed.from, &local), window(missed.to, &local));
        let when = match (missed.count, missed.from) {
            (1, _) => from,
            (count, first) => {
                let period = first.period();
                let count = period.map_or_else(|| firings(count), |period| counted(count as u64, period.name()));
                format!("{from} to {to} ({count})")
            }
        };
        writeln!(out, "  {:<28} {when}: {}", missed.job, missed.why)?;
    }
    let next = next_runs(schedule, now, until);
    writeln!(out, "\nnext, until {}", local(until))?;
    for job in schedule.jobs.iter().filter(|job| job.kind == Kind::Compact) {
        let Some(at) = next_run(schedule, job, now).filter(|&at| at <= until) else {
            continue;
        };
        for day in view
            .late_days
            .iter()
            .map(|&day| Window::Day(day))
            .filter(|&day| !is_planned(&job.name, day))
        {
            let (name, at) = (&job.name, local(at));
            writeln!(
                out,
                "  {name:<28} {day:<20} {at}  again, as rides came in late, and what comes after it"
            )?;
        }
    }
    for run in &next {
        let after = if run.after.is_empty() {
            String::new()
        } else {
            format!("  after {}", run.after.join(", "))
        };
        let about = run.window.period().map(|_| run.window.to_string()).unwrap_or_default();
        let deadline = schedule.job(&run.job);
        let deadline = deadline.and_then(|job| deadline_of(&schedule.day, job, run.window));
        let by = deadline.map_or_else(String::new, |at| format!("  by {}", local(at)));
        writeln!(
            out,
            "  {:<28} {about:<20} {}{after}{by}{}",
            run.job,
            local(run.at),
            mail(&run.job, run.window)
        )?;
    }

    writeln!(out, "\nmails")?;
    let to = |recipients: &[String], flag: &str| match recipients {
        [] => format!("nobody, as {flag} is not set"),
        some => some.join(", "),
    };
    let mut days = BTreeSet::new();
    let Plan { due, waiting } = &planned;
    let next = next.iter().map(|run| (&run.job, run.window, local(run.at)));
    let mut coming: Vec<_> = due.iter().map(|due| (&due.job, due.window, "now".to_owned())).collect();
    coming.extend(
        waiting
            .iter()
            .map(|waiting| (&waiting.job, waiting.window, waiting.on.to_string())),
    );
    for (job, window, when) in coming.into_iter().chain(next) {
        let Some(job) = mail_job(job) else { continue };
        let Some(day) = window.day().filter(|&day| days.insert(day)) else {
            continue;
        };
        if mails.reported.contains(&day) {
            writeln!(
                out,
                "  the report of {day} was mailed and nobody gets it twice; should it have moved past `restate_percent`, \
                 they are told"
            )?;
        } else if let Some(cause) = held_up(job, window) {
            writeln!(
                out,
                "  the report of {day} does not go out: `{}` {}; run `{}`",
                cause.job,
                cause.why,
                run_command(&cause.job, cause.window)
            )?;
        } else {
            writeln!(
                out,
                "  the report of {day} to {} ({when})",
                to(&mails.report_to, "--mail-to")
            )?;
        }
    }
    let troubles = untold(schedule, view, stream, now);
    let to_come = foretold(schedule, view, &planned, now, until);
    let failures_to = to(&mails.failures_to, "--mail-failures-to");
    let is_mailed = |trouble: &&Trouble| schedule.job(&trouble.job).is_some_and(|job| job.notify_on_failure);
    let now_told: Vec<_> = troubles.iter().filter(is_mailed).collect();
    if !now_told.is_empty() {
        let what = in_words(&now_told, &local);
        writeln!(out, "  what went wrong to {failures_to} (now): {what}")?;
    }
    let mut is_foretold = false;
    for at_once in to_come.chunk_by(|(one, _), (other, _)| one == other) {
        let about: Vec<_> = at_once.iter().map(|(_, trouble)| trouble).filter(is_mailed).collect();
        if !about.is_empty() {
            is_foretold = true;
            writeln!(
                out,
                "  what goes wrong to {failures_to} ({}, unless somebody mends it): {}",
                local(at_once[0].0),
                in_words(&about, &local)
            )?;
        }
    }
    if mails.waiting > 0 {
        writeln!(
            out,
            "  {} in the outbox (with the next run that sends)",
            counted(mails.waiting, "message")
        )?;
    }
    if days.is_empty() && now_told.is_empty() && !is_foretold && mails.waiting == 0 {
        writeln!(out, "  none")?;
    }
    Ok(())
}

/// Of what went wrong, so many things are listed.
const MOST_TROUBLES: usize = 5;

/// Troubles in words, the first few of them.
fn in_words(troubles: &[&Trouble], local: &impl Fn(DateTime<Utc>) -> String) -> String {
    let one = |trouble: &&Trouble| {
        let what = match trouble.what {
            What::GaveUp { .. } => "failed",
            What::CutShort { .. } => "was cut short",
            What::Late { .. } => "is late",
        };
        format!("`{}` {what} for {}", trouble.job, window(trouble.window, local))
    };
    let mut about: Vec<_> = troubles.iter().take(MOST_TROUBLES).map(one).collect();
    if troubles.len() > MOST_TROUBLES {
        about.push(format!("{} more", troubles.len() - MOST_TROUBLES));
    }
    about.join("; ")
}

fn firings(count: usize) -> String {
    let or_more = if count < MOST_COUNTED { "" } else { " or more" };
    counted(count as u64, "firing") + or_more
}

fn window(window: Window, local: &impl Fn(DateTime<Utc>) -> String) -> String {
    window.instant().map_or_else(|| window.to_string(), local)
}
