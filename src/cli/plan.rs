//! `deloton plan`: what is due, what was missed and what comes, before anything happens.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::{
    config::schedule::{Kind, Schedule},
    domain::run::Window,
    scheduler::plan::{Due, LedgerView, MOST_COUNTED, Reason, Stream, WaitingOn, missed, next_runs, plan as plan_at},
};

/// Show what is due, what was missed, and what will run.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct PlanArgs {
    /// As if it were this time.
    #[arg(long, value_name = "TIME")]
    pub at: Option<DateTime<Utc>>,

    /// How far to look ahead. Default: a day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
}

/// Writes the plan: due, waiting, missed, next. Changes nothing.
///
/// # Errors
/// When `out` cannot be written.
pub fn plan(
    args: &PlanArgs,
    schedule: &Schedule,
    view: &LedgerView,
    stream: Stream,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let now = args.at.unwrap_or(now);
    let until = args.until.unwrap_or(now + TimeDelta::days(1));
    let planned = plan_at(schedule, view, stream, now);
    let zone = schedule.day.timezone;
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string();
    let mail = |job: &str| {
        let is_mail = schedule.job(job).is_some_and(|job| matches!(job.kind, Kind::Notify));
        if is_mail { "  (a mail goes out)" } else { "" }
    };

    writeln!(out, "at {}", local(now))?;
    writeln!(out, "\ndue now")?;
    for (place, due) in planned.due.iter().enumerate() {
        let is_tick = |other: &&Due| other.job == due.job && other.window.day().is_none();
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
        writeln!(out, "  {:<28} {about:<20} {why}{and_later}{}", due.job, mail(&due.job))?;
    }
    if planned.due.is_empty() {
        writeln!(out, "  nothing")?;
    }
    if !planned.waiting.is_empty() {
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
            write!(out, "; run `deloton run {}", waiting.job)?;
            if let Some(day) = waiting.window.day() {
                write!(out, " --day {day}")?;
            }
            write!(out, "`")?;
        }
        writeln!(out, "{}", mail(&waiting.job))?;
    }
    let missed = missed(schedule, view, &planned, now);
    if !missed.is_empty() {
        writeln!(out, "\nmissed, and not made good")?;
    }
    for missed in missed {
        let (from, to) = (window(missed.from, &local), window(missed.to, &local));
        let when = match (missed.count, missed.from) {
            (1, _) => from,
            (count, Window::Day(_)) => format!("{from} to {to} ({})", counted(count as u64, "day")),
            (count, Window::Instant(_)) => format!("{from} to {to} ({})", firings(count)),
        };
        writeln!(out, "  {:<28} {when}: {}", missed.job, missed.why)?;
    }
    writeln!(out, "\nnext, until {}", local(until))?;
    for run in next_runs(schedule, now, until) {
        let after = if run.after.is_empty() {
            String::new()
        } else {
            format!("  after {}", run.after.join(", "))
        };
        let about = run.window.day().map(|day| day.to_string()).unwrap_or_default();
        writeln!(
            out,
            "  {:<28} {about:<20} {}{after}{}",
            run.job,
            local(run.at),
            mail(&run.job)
        )?;
    }
    Ok(())
}

fn firings(count: usize) -> String {
    let or_more = if count < MOST_COUNTED { "" } else { " or more" };
    counted(count as u64, "firing") + or_more
}

fn window(window: Window, local: &impl Fn(DateTime<Utc>) -> String) -> String {
    match window {
        Window::Day(day) => day.to_string(),
        Window::Instant(at) => local(at),
    }
}
