//! `deloton check`: everything that people edit, looked over before it runs.

use std::{fmt::Display, io::Write};

use anyhow::bail;
use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::{
    config::schedule::{CronText, JobConfig, Kind, Schedule},
    scheduler::firing::{Change, changes, instant_of},
};

/// How far ahead the clock changes are looked at.
const YEARS: i32 = 3;

/// Check cron.toml, every SQL file and every template.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
pub struct CheckArgs {
    /// Connect to Kafka as well, and say which step fails: name, connection, TLS, login, answer, topic, group.
    #[arg(long)]
    pub connect: bool,
}

/// Another thing to check. It answers how many there were of it, or what is wrong with them, a line each.
pub struct Check<'c> {
    /// What is checked, in the plural: `SQL files`.
    pub what: &'c str,
    /// Checks it against the schedule, as far as there is one that can be read.
    pub run: &'c Look<'c>,
}

/// How many there were, or what is wrong with them.
pub type Look<'c> = dyn Fn(Option<&Schedule>) -> Result<usize, Vec<String>> + 'c;

/// Checks the schedule as it was loaded, then the rest, and prints what the clocks will do to each job.
///
/// # Errors
/// When anything is wrong: what is with the schedule; everything else has been written to `out` by then.
pub fn check(
    _: &CheckArgs,
    schedule: anyhow::Result<Schedule>,
    now: DateTime<Utc>,
    more: &[Check<'_>],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut wrong = 0;
    let readable = match &schedule {
        Ok(schedule) if schedule.jobs.is_empty() => {
            writeln!(
                out,
                "schedule: no jobs: nothing would ever run, no day be sealed and no report made; begin with the cron.toml that \
                 the program came with"
            )?;
            Some(schedule)
        }
        Ok(schedule) => {
            writeln!(out, "schedule: {}, fine", counted(schedule.jobs.len() as u64, "job"))?;
            Some(schedule)
        }
        Err(_) => {
            writeln!(out, "schedule: wrong, as is said at the end")?;
            None
        }
    };
    for check in more {
        match (check.run)(readable) {
            Ok(count) => writeln!(out, "{}: {count}, fine", check.what)?,
            Err(problems) => {
                wrong += problems.len();
                writeln!(out, "{}: {} wrong", check.what, problems.len())?;
                for problem in problems {
                    writeln!(out, "  {problem}")?;
                }
            }
        }
    }
    if let Some(schedule) = readable {
        extracts(schedule, out)?;
        dates(schedule, now, out)?;
        clocks(schedule, now, out)?;
    }
    let listed = format!("{} to put right, listed above", counted(wrong as u64, "thing"));
    match schedule {
        Err(error) if wrong > 0 => Err(error.context(listed + ", and these")),
        Err(error) => Err(error),
        Ok(_) if wrong > 0 => bail!(listed),
        Ok(_) => Ok(()),
    }
}

/// Says which daily tables come a day late into the extracts.
fn extracts(schedule: &Schedule, out: &mut dyn Write) -> std::io::Result<()> {
    let is_extract = |job: &&JobConfig| job.enabled && matches!(job.kind, Kind::Extract { .. });
    for extract in schedule.jobs.iter().filter(is_extract) {
        let before = schedule.upstream_first(&extract.name);
        let is_late = |job: &&JobConfig| {
            job.enabled
                && matches!(job.kind, Kind::Transform { .. })
                && before.iter().all(|other| other.name != job.name)
        };
        for table in schedule.jobs.iter().filter(is_late) {
            writeln!(
                out,
                "`{}`: `{extract}` does not wait for it, so that its rows may be in the extracts a day late; name it in the \
                 `after` of `{extract}`",
                table.name,
                extract = extract.name
            )?;
        }
    }
    Ok(())
}

/// Says of each job with both a day of month and a day of week which dates that are: other crons take either.
fn dates(schedule: &Schedule, now: DateTime<Utc>, out: &mut dyn Write) -> std::io::Result<()> {
    for job in &schedule.jobs {
        let Some(cron) = job.cron.as_ref().filter(|cron| cron.has_day_and_weekday()) else {
            continue;
        };
        let local = now.with_timezone(&job.timezone).naive_local();
        let firings = std::iter::successors(cron.next(local, false), |&at| cron.next(at, false));
        let next: Vec<String> = firings.take(3).map(|at| at.date().to_string()).collect();
        writeln!(
            out,
            "`{}`: `{}` runs on dates that match both its day of month and its day of week, next on {}",
            job.name,
            cron.text(),
            next.join(", ")
        )?;
    }
    Ok(())
}

fn clocks(schedule: &Schedule, now: DateTime<Utc>, out: &mut dyn Write) -> std::io::Result<()> {
    let surprises = clock_changes(schedule, now);
    if surprises.is_empty() {
        writeln!(
            out,
            "clock changes until {}: no job's time falls into one",
            now.year() + YEARS
        )?;
    } else {
        writeln!(out, "clock changes until {}:", now.year() + YEARS)?;
    }
    for line in surprises {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Every gap and overlap of the next three years that a job's time, or the end of the company's day, falls into, and
/// what happens then. Jobs that fire every hour go by elapsed time and are not surprised.
fn clock_changes(schedule: &Schedule, now: DateTime<Utc>) -> Vec<String> {
    let until = now + TimeDelta::days(i64::from(YEARS) * 366);
    let mut lines = Vec::new();
    for change in changes(schedule.day.timezone, now, until) {
        let (from, to) = stretch(change);
        let ends_at = from.date().and_time(schedule.day.ends_at);
        if ends_at >= from && ends_at < to {
            let at = instant_of(schedule.day.timezone, ends_at).with_timezone(&schedule.day.timezone);
            let what = if change.to > change.from {
                "is skipped"
            } else {
                "occurs twice"
            };
            lines.push(format!(
                "the day's end {ends_at} {what} in {}: the day ends at {at}",
                schedule.day.timezone
            ));
        }
    }
    for job in schedule.jobs.iter().filter(|job| job.enabled) {
        let Some(cron) = job.cron.as_ref().filter(|cron| !cron.is_every_hour()) else {
            continue;
        };
        for change in changes(job.timezone, now, until) {
            lines.extend(surprise(job, cron, change));
        }
    }
    lines
}

fn surprise(job: &JobConfig, cron: &CronText, change: Change) -> Option<String> {
    let (from, to) = stretch(change);
    let local = cron.next(from, true).filter(|&local| local < to)?;
    let later = |&at: &NaiveDateTime| cron.next(at, false).filter(|&local| local < to);
    let more = std::iter::successors(later(&local), later).count();
    let at = instant_of(job.timezone, local).with_timezone(&job.timezone);
    let (name, is_gap) = (&job.name, change.to > change.from);
    let (what, then) = match (is_gap, more) {
        (true, 0) => ("is skipped".to_owned(), format!("runs once, at {at}")),
        (true, more) => (
            format!("and {more} more until the clocks have changed are skipped"),
            format!("runs once for all of them, at {at}"),
        ),
        (false, 0) => ("occurs twice".to_owned(), format!("runs once, the first time, at {at}")),
        (false, more) => (
            format!("and {more} more occur twice"),
            format!("runs once for each, the first time, from {at} on"),
        ),
    };
    Some(line(name, local, job, &what, then))
}

/// The wall-clock times that are skipped or doubled.
fn stretch(change: Change) -> (NaiveDateTime, NaiveDateTime) {
    (change.from.min(change.to), change.from.max(change.to))
}

fn line(name: &str, local: NaiveDateTime, job: &JobConfig, what: &str, then: impl Display) -> String {
    format!("`{name}`: {local} {what} in {}: {then}", job.timezone)
}
