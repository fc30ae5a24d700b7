//! `deloton run JOB`: one job, now, after what is missing upstream.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::{counted, named_count};
use crate::{
    app::App,
    config::schedule::Kind,
    domain::{run::Outcome, window::Window},
    scheduler::plan::Reason,
    scheduler::runner::{Asked, Ended, Runner},
};

/// Run one job now, after what is missing upstream for that day. What comes after it is left to the schedule, which makes it
/// again while `deloton serve` runs.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct RunArgs {
    /// The job's name in cron.toml.
    pub job: String,

    /// The business day to produce, or the week (2026-W47) or month (2026-11), of which any day will do. Default: the last
    /// finished one.
    #[arg(long, value_name = "DATE")]
    pub day: Option<Window>,

    /// Say what would be run and what would be published, and do none of it.
    #[arg(long)]
    pub dry_run: bool,

    /// Wait until it has ended; the default.
    #[arg(long, overrides_with = "no_wait")]
    #[serde(skip)]
    pub wait: bool,

    /// Have a running server do it, and only say which run it is.
    #[arg(long)]
    pub no_wait: bool,

    /// Let a mail go out that this comes after and that has not gone out yet.
    #[arg(long = "with-mail", id = "with_mail")]
    pub mail: bool,
}

/// Runs it and says how it went.
///
/// # Errors
/// When there is no such job, or a run fails.
pub fn run(args: &RunArgs, runner: &Runner, out: &mut dyn Write) -> anyhow::Result<()> {
    let window = runner.window(&args.job, args.day)?;
    let asked = Asked {
        reason: Reason::Manual,
        mail: args.mail,
    };
    if args.no_wait {
        let run = runner.start(&args.job, Some(window), asked)?;
        writeln!(out, "{:<28} {window:<20} asked for: run {}", args.job, run.run_id)?;
        return Ok(());
    }
    let ended = runner.run_asked(&args.job, window, asked)?;
    for run in &ended {
        // Why the last one failed is said below.
        tell(run, None, out)?;
        if run.counts["rides"] == 0 && run.outcome == Outcome::Succeeded && run.job == "compact" {
            writeln!(
                out,
                "  no ride ended on {}: `deloton status` says which days have rides",
                run.window
            )?;
        }
    }
    let Some(last) = ended.last().filter(|run| run.outcome != Outcome::Succeeded) else {
        return Ok(());
    };
    let reason = last.error.as_deref().unwrap_or("no reason was written down");
    if last.job == args.job {
        bail!("`{}` failed for {window}: {reason}", last.job);
    }
    bail!(
        "`{}` was not run for {window}: `{}`, which it comes after, failed: {reason}",
        args.job,
        last.job
    )
}

/// Says what [`run`] would do: the runs, and for one that publishes the files that it would write.
///
/// # Errors
/// When there is no such job, or the site cannot be looked at.
pub fn dry_run(args: &RunArgs, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    let window = app.runner.window(&args.job, args.day)?;
    let jobs = app.runner.would_run(&args.job, window)?;
    for (job, window) in &jobs {
        writeln!(out, "{:<28} {window:<20} would run", job.name)?;
    }
    if jobs.last().is_some_and(|(job, _)| matches!(job.kind, Kind::Publish)) {
        let plan = app.plan_publication()?;
        for path in &plan.written {
            writeln!(out, "would write {path}")?;
        }
        for path in &plan.deleted {
            writeln!(out, "would delete {path}")?;
        }
        let deletes = match plan.deleted.len() {
            0 => String::new(),
            deletes => format!("{deletes} to delete, "),
        };
        let before = if jobs.len() > 1 {
            ", before what it comes after has run"
        } else {
            ""
        };
        writeln!(
            out,
            "{} to write, {deletes}{} unchanged{before}",
            counted(plan.written.len() as u64, "file"),
            plan.unchanged
        )?;
    }
    Ok(())
}

/// One line for one run, with the reason for its failure where that is not said elsewhere.
pub(super) fn tell(run: &Ended, reason: Option<&str>, out: &mut dyn Write) -> std::io::Result<()> {
    let counts = run
        .counts
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, count)| named_count(name, count.as_u64().unwrap_or(0)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let outcome = match run.outcome {
        Outcome::Succeeded => "done",
        other => other.name(),
    };
    write!(out, "{:<28} {:<20} {outcome}", run.job, run.window)?;
    match reason {
        Some(reason) => writeln!(out, ": {reason}"),
        None if counts.is_empty() => writeln!(out),
        None => writeln!(out, ": {counts}"),
    }
}
