//! The run ledger: which job ran for which window, when, and how it ended.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use duckdb::{
    OptionalExt, Row, params,
    types::{TimeUnit, Type, Value},
};
use serde::Serialize;
use uuid::Uuid;

use super::{Doing, Result, Store, value::parsed};
use crate::domain::{
    run::{JobStatus, LogLine, Outcome},
    window::Window,
};

/// One run of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobRun {
    /// Its id; sorts by time.
    pub run_id: Uuid,
    /// The job.
    pub job: String,
    /// The window's key: a day, a week, a month, or an instant.
    pub window: String,
    /// Counted from 1.
    pub attempt: u32,
    /// Why it was made, e.g. `schedule`, `retry`, `manual`.
    pub reason: String,
    /// When it was meant to run.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in counts: a JSON object.
    pub counts: Option<serde_json::Value>,
    /// Why it failed: the whole chain, outermost first.
    pub error: Option<String>,
}

/// A run about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'r> {
    /// Its id.
    pub run_id: Uuid,
    /// The job.
    pub job: &'r str,
    /// What it is to produce.
    pub window: Window,
    /// Counted from 1.
    pub attempt: u32,
    /// Why it is made.
    pub reason: &'r str,
    /// When it was meant to run.
    pub scheduled_at: DateTime<Utc>,
    /// When it begins.
    pub started_at: DateTime<Utc>,
}

/// The latest run of one job for one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// The job.
    pub job: String,
    /// The window.
    pub window: Window,
    /// Which try it was.
    pub attempt: u32,
    /// How many of its tries failed; the others were cut short.
    pub failures: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was meant to run.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the window's latest run that succeeded began.
    pub done_started_at: Option<DateTime<Utc>>,
    /// When that run ended.
    pub done_finished_at: Option<DateTime<Utc>>,
    /// Whether the window was run as it fired, rather than only because a person asked.
    pub is_firing: bool,
}

/// What is kept of a job beside its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub job: String,
    /// When the program first knew it: its history starts here.
    pub first_seen_at: DateTime<Utc>,
    /// Runs that found nothing to do; they are not in the ledger.
    pub idle_runs: u64,
    /// The newest firing that was answered so.
    pub last_idle_at: Option<DateTime<Utc>>,
    /// Somebody was told of its failures up to here.
    pub failures_told_at: Option<DateTime<Utc>>,
    /// Somebody was told of the deadlines it missed up to here.
    pub deadlines_told_until: Option<DateTime<Utc>>,
}

impl Store {
    /// Notes the jobs that were never seen before as first seen at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn see_jobs<'n>(&self, names: impl IntoIterator<Item = &'n str>, now: DateTime<Utc>) -> Result<()> {
        let connection = self.connection()?;
        for name in names {
            connection
                .execute(
                    "insert into ops.job values (?, ?, 0, null) on conflict do nothing",
                    params![name, text(now)],
                )
                .doing(|| format!("cannot note job `{name}` in the run ledger"))?;
        }
        Ok(())
    }

    /// All jobs ever seen.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job_rows(&self) -> Result<Vec<JobRow>> {
        let connection = self.connection()?;
        let doing = || "cannot read the jobs of the run ledger".to_owned();
        let mut statement = connection
            .prepare(
                "select job, first_seen_at, idle_runs, last_idle_at, failures_told_at, deadlines_told_until
                     from ops.job left join ops.job_told using (job) order by job",
            )
            .doing(doing)?;
        let rows = statement.query_map([], |row| {
            Ok(JobRow {
                job: row.get(0)?,
                first_seen_at: instant(row, 1)?,
                idle_runs: row.get(2)?,
                last_idle_at: instant_or_null(row, 3)?,
                failures_told_at: instant_or_null(row, 4)?,
                deadlines_told_until: instant_or_null(row, 5)?,
            })
        });
        rows.and_then(Iterator::collect).doing(doing)
    }

    /// The latest run of every job and window.
    ///
    /// # Errors
    /// When the database fails.
    pub fn last_runs(&self) -> Result<Vec<LastRun>> {
        let connection = self.connection()?;
        let doing = || "cannot read the latest runs from the run ledger".to_owned();
        let mut statement = connection.prepare(include_str!("sql/last_runs.sql")).doing(doing)?;
        let rows = statement.query_map([], |row| {
            Ok(LastRun {
                job: row.get(0)?,
                window: window(row, 1)?,
                attempt: row.get(2)?,
                outcome: outcome(row, 3)?,
                scheduled_at: instant(row, 4)?,
                started_at: instant(row, 5)?,
                finished_at: instant_or_null(row, 6)?,
                done_started_at: instant_or_null(row, 7)?,
                done_finished_at: instant_or_null(row, 8)?,
                is_firing: row.get(9)?,
                failures: row.get(10)?,
            })
        });
        rows.and_then(Iterator::collect).doing(doing)
    }

    /// Writes down that a run has begun.
    ///
    /// # Errors
    /// When the database fails.
    pub fn start_run(&self, run: NewRun<'_>) -> Result<()> {
        let sql = "insert into ops.job_run values (?, ?, ?, ?, ?, ?, ?, null, 'running', null, null)";
        self.connection()?
            .execute(
                sql,
                params![
                    run.run_id.to_string(),
                    run.job,
                    run.window.to_string(),
                    run.attempt,
                    run.reason,
                    text(run.scheduled_at),
                    text(run.started_at),
                ],
            )
            .doing(|| format!("cannot write down the start of `{}` for {}", run.job, run.window))?;
        Ok(())
    }

    /// Writes down how a run ended: with a status, or as `Failed` or `Abandoned` with the text of its error.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finish_run(
        &self,
        run_id: Uuid,
        finished_at: DateTime<Utc>,
        result: Result<&JobStatus, (Outcome, &str)>,
    ) -> Result<()> {
        let (outcome, counts, error) = match result {
            Ok(status) => {
                let counts = serde_json::to_string(&status.counts).expect("names and numbers are JSON");
                (Outcome::Succeeded, Some(counts), None)
            }
            Err((outcome, error)) => (outcome, None, Some(error)),
        };
        self.connection()?
            .execute(
                "update ops.job_run set finished_at = ?, outcome = ?, counts = ?, error = ? where run_id = ?::uuid",
                params![text(finished_at), outcome.name(), counts, error, run_id.to_string()],
            )
            .doing(|| format!("cannot write down the end of run {run_id}"))?;
        Ok(())
    }

    /// Keeps what a run has logged.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_run_log(&self, run_id: Uuid, lines: &[LogLine]) -> Result<()> {
        let lines = serde_json::to_string(lines).expect("text and instants are JSON");
        self.connection()?
            .execute(
                "insert into ops.job_run_log values (?::uuid, ?)",
                params![run_id.to_string(), lines],
            )
            .doing(|| format!("cannot keep the log of run {run_id}"))?;
        Ok(())
    }

    /// What a run logged, oldest line first; nothing of one that a crash cut short.
    ///
    /// # Errors
    /// When the database fails.
    pub fn run_log(&self, run_id: Uuid) -> Result<Vec<LogLine>> {
        let lines: Option<String> = self
            .connection()?
            .query_row(
                "select lines from ops.job_run_log where run_id = ?::uuid",
                params![run_id.to_string()],
                |row| row.get(0),
            )
            .optional()
            .doing(|| format!("cannot read the log of run {run_id}"))?;
        // A line that a later version wrote otherwise is no reason to show nothing of the run.
        Ok(lines
            .and_then(|lines| serde_json::from_str(&lines).ok())
            .unwrap_or_default())
    }

    /// Deletes what runs logged that began before `before`. Says of how many runs.
    ///
    /// # Errors
    /// When the database fails.
    pub fn prune_run_logs(&self, before: DateTime<Utc>) -> Result<u64> {
        let deleted = self.connection()?.execute(
            "delete from ops.job_run_log where run_id not in (select run_id from ops.job_run where started_at >= ?)",
            params![text(before)],
        );
        let deleted = deleted.doing(|| format!("cannot delete what runs logged before {before}"))?;
        Ok(deleted as u64)
    }

    /// Counts runs that found nothing to do; `last_at` is the newest firing answered so.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_idle_runs(&self, job: &str, runs: u64, last_at: DateTime<Utc>) -> Result<()> {
        // The two lanes count at the same time.
        let doing = || format!("cannot count the idle runs of `{job}`");
        self.transaction(doing, |connection| {
            let sql = "update ops.job set idle_runs = idle_runs + ?, last_idle_at = ? where job = ?";
            connection
                .execute(sql, params![runs, text(last_at), job])
                .map(drop)
                .doing(doing)
        })
    }

    /// Writes down up to where somebody was told of a job's failures and of the deadlines it missed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_told(
        &self,
        job: &str,
        failures_told_at: Option<DateTime<Utc>>,
        deadlines_told_until: Option<DateTime<Utc>>,
    ) -> Result<()> {
        self.connection()?
            .execute(
                "insert or replace into ops.job_told values (?, ?, ?)",
                params![job, failures_told_at.map(text), deadlines_told_until.map(text)],
            )
            .doing(|| format!("cannot write down what was told of `{job}`"))?;
        Ok(())
    }

    /// Calls every run that the ledger thinks is under way abandoned: to be called once, when this process has opened
    /// the database and runs nothing yet. Says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn abandon_runs(&self, now: DateTime<Utc>) -> Result<usize> {
        self.connection()?
            .execute(
                "update ops.job_run set outcome = 'abandoned', finished_at = ?,
                     error = 'the process ended while this ran' where outcome = 'running'",
                params![text(now)],
            )
            .doing(|| "cannot mark the runs that a crash cut short".to_owned())
    }

    /// Runs, newest first: of `job`, of all when it is none; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job_runs(&self, job: Option<&str>, limit: u32) -> Result<Vec<JobRun>> {
        self.read_runs(
            "where $1 is null or job = $1 order by started_at desc, run_id desc limit $2",
            params![job, limit],
        )
    }

    /// One run.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job_run(&self, run_id: Uuid) -> Result<Option<JobRun>> {
        Ok(self
            .read_runs("where run_id = ?::uuid", params![run_id.to_string()])?
            .pop())
    }

    /// The latest run of `job` for `window`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn latest_run(&self, job: &str, window: Window) -> Result<Option<JobRun>> {
        Ok(self
            .read_runs(
                "where job = ? and \"window\" = ? order by started_at desc, run_id desc limit 1",
                params![job, window.to_string()],
            )?
            .pop())
    }

    /// The days that rides in the buffer belong to.
    ///
    /// # Errors
    /// When the database fails.
    pub fn days_with_rows(&self) -> Result<BTreeSet<NaiveDate>> {
        self.read_days(
            "select distinct business_day::varchar from daily.ride where business_day is not null",
            params![],
        )
    }

    /// Sealed days for which the buffer has a ride that history does not have, or has otherwise.
    ///
    /// # Errors
    /// When the database fails.
    pub fn late_days(&self) -> Result<BTreeSet<NaiveDate>> {
        self.read_days(include_str!("sql/late_days.sql"), params![])
    }

    /// The days that `sql` selects.
    pub(super) fn read_days(&self, sql: &str, parameters: &[&dyn duckdb::ToSql]) -> Result<BTreeSet<NaiveDate>> {
        let connection = self.connection()?;
        let doing = || "cannot read which days the buffer has rides of".to_owned();
        let mut statement = connection.prepare(sql).doing(doing)?;
        let rows = statement.query_map(parameters, |row| parsed(row, 0));
        rows.and_then(Iterator::collect).doing(doing)
    }

    fn read_runs(&self, which: &str, parameters: &[&dyn duckdb::ToSql]) -> Result<Vec<JobRun>> {
        let connection = self.connection()?;
        let doing = || "cannot read runs from the run ledger".to_owned();
        let sql = format!(
            "select run_id::varchar, job, \"window\", attempt, reason, scheduled_at, started_at, finished_at, outcome, \
             counts, error from ops.job_run {which}"
        );
        let mut statement = connection.prepare(&sql).doing(doing)?;
        let rows = statement.query_map(parameters, |row| {
            Ok(JobRun {
                run_id: parsed(row, 0)?,
                job: row.get(1)?,
                window: row.get(2)?,
                attempt: row.get(3)?,
                reason: row.get(4)?,
                scheduled_at: instant(row, 5)?,
                started_at: instant(row, 6)?,
                finished_at: instant_or_null(row, 7)?,
                outcome: outcome(row, 8)?,
                counts: row
                    .get::<_, Option<String>>(9)?
                    .and_then(|text| serde_json::from_str(&text).ok()),
                error: row.get(10)?,
            })
        });
        rows.and_then(Iterator::collect).doing(doing)
    }
}

/// Bound as text with its offset, so that no session's zone has a say.
fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn instant(row: &Row<'_>, column: usize) -> duckdb::Result<DateTime<Utc>> {
    instant_or_null(row, column)?
        .ok_or_else(|| duckdb::Error::FromSqlConversionFailure(column, Type::Null, "an instant is missing".into()))
}

fn instant_or_null(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
    match row.get::<_, Value>(column)? {
        Value::Null => Ok(None),
        Value::Timestamp(TimeUnit::Microsecond, micros) => Ok(DateTime::from_timestamp_micros(micros)),
        other => Err(duckdb::Error::FromSqlConversionFailure(
            column,
            other.data_type(),
            "not an instant".into(),
        )),
    }
}

fn window(row: &Row<'_>, column: usize) -> duckdb::Result<Window> {
    parsed(row, column)
}

fn outcome(row: &Row<'_>, column: usize) -> duckdb::Result<Outcome> {
    let name: String = row.get(column)?;
    let known = [
        Outcome::Running,
        Outcome::Succeeded,
        Outcome::Failed,
        Outcome::Abandoned,
    ];
    known.into_iter().find(|outcome| outcome.name() == name).ok_or_else(|| {
        let error = format!("the run ledger has an outcome `{name}` that this program does not know");
        duckdb::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

#[cfg(test)]
mod tests;
