//! `deloton backfill JOB --from A --to B`: one job for a range of days, or the weeks or months of them.

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::{
    output::{Output, Progress, Unit},
    run::tell,
    words::counted,
};
use crate::{
    config::schedule::Kind,
    domain::{run::Outcome, window::Window},
    scheduler::{
        plan::{Last, Reason},
        runner::{Asked, Runner},
    },
};

/// Run one job for a range of days, or the weeks or months that these are in. Interrupted, the same command carries on where it was. Never mails unless told.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct BackfillArgs {
    /// The job's name in cron.toml.
    pub job: String,

    /// The first day, or the first week (2026-W44) or month (2026-09).
    #[arg(long, value_name = "DATE")]
    pub from: Window,

    /// The last one.
    #[arg(long, value_name = "DATE")]
    pub to: Window,

    /// Which of the days.
    #[arg(long, value_enum, default_value = "missing")]
    pub only: Only,

    /// Say what would be run, and run nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// The newest day first.
    #[arg(long)]
    pub reverse: bool,

    /// Let mails go out.
    #[arg(long = "with-mail", id = "with_mail")]
    pub mail: bool,
}

/// Which days of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those that were never done.
    Missing,
    /// Those whose latest run failed or was cut short.
    Failed,
    /// All of them.
    All,
}

/// Runs them, one window after the other; one that fails does not keep the others from being run.
///
/// # Errors
/// When there is no such job, it would mail unasked, the range is empty or reaches beyond the last window that is over,
/// or one fails.
pub fn backfill(args: &BackfillArgs, runner: &Runner, out: &mut dyn Output) -> anyhow::Result<()> {
    let schedule = runner.schedule();
    let job = schedule.require(&args.job)?;
    if job.is_sub_day() {
        bail!("`{}` runs by the instant: it has no days to fill in", job.name);
    }
    if matches!(job.kind, Kind::Notify { .. }) && !args.mail {
        bail!(
            "a backfill of `{}` would send mails about old days; say --with-mail if that is what you want",
            job.name
        );
    }
    let Some(((first, _), (_, last))) = args.from.span().zip(args.to.span()) else {
        bail!("give --from and --to as days, weeks or months: `--from 2026-11-01 --to 2026-11-30`");
    };
    if last < first {
        bail!("the range is empty: --to {} is before --from {}", args.to, args.from);
    }
    let newest = job.every.last_over(schedule.day.last_finished(runner.clock().now()));
    let (from, to) = (job.every.around(first), job.every.around(last));
    if to > newest {
        bail!(
            "the last finished {} is {newest}: --to {} is not over yet",
            job.every.name(),
            args.to
        );
    }
    let view = runner.view()?;
    let is_chosen = |&window: &Window| args.only.chooses(view.last(&job.name, window));
    // A report of a day that nobody rode on says that it was a bad day; it may be one before the first bike.
    let has_rides = |window: &Window| {
        let of_seal = |day| {
            let seals = schedule.jobs.iter().filter(|job| job.kind == Kind::Compact);
            seals.into_iter().any(|seal| {
                view.last(&seal.name, Window::Day(day))
                    .is_some_and(|last| last.done.is_some())
            })
        };
        window
            .days()
            .any(|day| view.days_with_rows.contains(&day) || of_seal(day))
    };
    let is_wanted = |window: &Window| args.only != Only::Missing || !job.kind.needs_day() || has_rides(window);
    let (mut windows, without): (Vec<_>, Vec<_>) = from.up_to(to).filter(is_chosen).partition(is_wanted);
    if args.reverse {
        windows.reverse();
    }
    let count = counted(windows.len() as u64, job.every.name());
    let passed_over = match without.len() {
        0 => String::new(),
        some => {
            let some = counted(some as u64, job.every.name());
            format!("; {some} without rides passed over, `--only all` makes them too")
        }
    };
    if args.dry_run {
        for &window in &windows {
            for (job, window) in runner.would_run(&job.name, window)? {
                writeln!(out, "{:<28} {window:<20} would run", job.name)?;
            }
        }
        writeln!(out, "{count}{passed_over}")?;
        return Ok(());
    }
    let mut failed = Vec::new();
    let progress = |done: usize, at: String, out: &mut dyn Output| {
        let (done, all) = (done as u64, windows.len() as u64);
        let unit = Unit::Runs;
        out.progress(Progress { done, all, unit, at });
    };
    for (done, &window) in windows.iter().enumerate() {
        progress(done, format!("{} {window}", job.name), out);
        // Whoever asked through a server and has gone away wants no further one.
        out.flush()?;
        let asked = Asked {
            reason: Reason::Backfill,
            mail: args.mail,
        };
        let ended = runner.run_asked(&job.name, window, asked)?;
        for run in &ended {
            tell(run, run.error.as_deref(), out)?;
        }
        if ended.last().is_some_and(|run| run.outcome != Outcome::Succeeded) {
            failed.push(window);
        }
    }
    progress(windows.len(), String::new(), out);
    if failed.is_empty() {
        writeln!(out, "{count}{passed_over}")?;
        return Ok(());
    }
    let view = runner.view()?;
    let chooses_all = |only: &Only| failed.iter().all(|&window| only.chooses(view.last(&job.name, window)));
    let only = [Only::Failed, Only::Missing].into_iter().find(chooses_all);
    let names: Vec<_> = failed.iter().map(ToString::to_string).collect();
    bail!(
        "{} of {count} failed ({}); run them again with `{}`",
        failed.len(),
        names.join(", "),
        args.command(only.unwrap_or(args.only))
    )
}

impl BackfillArgs {
    /// The command line of the same for `only` these of its days.
    fn command(&self, only: Only) -> String {
        let BackfillArgs { job, from, to, .. } = self;
        let only = only.to_possible_value().expect("none of them is hidden");
        let mut command = format!(
            "deloton backfill {job} --from {from} --to {to} --only {}",
            only.get_name()
        );
        for (flag, is_set) in [(" --reverse", self.reverse), (" --with-mail", self.mail)] {
            command += if is_set { flag } else { "" };
        }
        command
    }
}

impl Only {
    /// Whether a window whose latest run is this one is among them.
    fn chooses(self, last: Option<&Last>) -> bool {
        match self {
            Only::All => true,
            Only::Missing => last.is_none_or(|last| last.done.is_none()),
            Only::Failed => last.is_some_and(|last| matches!(last.outcome, Outcome::Failed | Outcome::Abandoned)),
        }
    }
}
