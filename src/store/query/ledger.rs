//! The ledgers as people look at them: runs of jobs, mails, sealed days, and where the pipeline stands.

use chrono::{DateTime, Days, NaiveDate, Utc};
use duckdb::{Row, named_params};
use uuid::Uuid;

use super::{count, instant, maybe_instant, one_row, parsed, rows, uuid};
use crate::{
    domain::window::{Month, Window},
    store::{Result, Store},
};

/// One run of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRun {
    /// The run.
    pub run_id: Uuid,
    /// The job's name.
    pub job: String,
    /// The day, week, month or instant it was about.
    pub window: String,
    /// 1 for the first.
    pub attempt: i32,
    /// Why it ran: `schedule`, `manual`, …
    pub reason: String,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `abandoned`.
    pub outcome: String,
    /// What it did, JSON: counts by name.
    pub counts: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One cell of the grid of jobs and days.
#[derive(Debug, Clone, PartialEq)]
pub struct GridCell {
    /// The job's name.
    pub job: String,
    /// The day, week or month.
    pub window: Window,
    /// The newest run's outcome.
    pub outcome: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The newest run.
    pub run_id: Uuid,
    /// Why it failed.
    pub error: Option<String>,
}

/// A day that was sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedDay {
    /// The day.
    pub day: NaiveDate,
    /// When it was sealed last.
    pub sealed_at: DateTime<Utc>,
    /// Its rides.
    pub ride_count: i64,
    /// Their readings.
    pub reading_count: i64,
    /// How often it was sealed.
    pub seal_count: i32,
}

/// A mail in the send ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// The mail.
    pub message_id: Uuid,
    /// What it is about.
    pub kind: String,
    /// What makes it the only one of its kind.
    pub topic: String,
    /// Whom it goes to; see [`masked`].
    pub recipient: String,
    /// Where it stands.
    pub state: String,
    /// Its subject.
    pub subject: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was tried last.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When its fate was known.
    pub settled_at: Option<DateTime<Utc>>,
    /// What the mail service answered.
    pub detail: Option<String>,
}

/// Where the pipeline stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Messages consumed, ever.
    pub messages: u64,
    /// Readings made of them, ever.
    pub readings: u64,
    /// Partitions seen.
    pub partitions: u64,
    /// The newest instant on the log's clock.
    pub log_clock: Option<DateTime<Utc>>,
    /// When the buffer was written last.
    pub flushed_at: Option<DateTime<Utc>>,
    /// Rides in the buffer.
    pub buffer_rides: u64,
    /// Of those, open.
    pub open_rides: u64,
    /// Readings in the buffer.
    pub buffer_readings: u64,
    /// Lines that could not be understood, waiting for a person.
    pub rejected_lines: u64,
    /// Days in history.
    pub sealed_days: u64,
    /// The newest of them.
    pub last_sealed_day: Option<NaiveDate>,
    /// Rides in history.
    pub sealed_rides: u64,
    /// When the site was published last.
    pub published_at: Option<DateTime<Utc>>,
    /// Mails whose fate is not known yet.
    pub messages_waiting: u64,
    /// Mails, ever.
    pub messages_total: u64,
    /// Jobs under way.
    pub jobs_running: u64,
}

/// A page of the run ledger, newest first, before the run `before` (its start and its id).
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn job_runs(
    store: &Store,
    job: Option<&str>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: u32,
) -> Result<Vec<JobRun>> {
    let params = named_params! {
        "job": job,
        "before": before.map(|(at, _)| at.to_rfc3339()),
        "before_id": before.map(|(_, id)| id.to_string()),
        "limit": limit,
    };
    rows(
        store,
        include_str!("../sql/api_job_runs.sql"),
        params,
        "cannot read the run ledger",
        job_run,
    )
}

/// One run; none where there is no such run.
pub fn run(store: &Store, run_id: Uuid) -> Result<Option<JobRun>> {
    let params = named_params! { "run_id": run_id.to_string() };
    let sql = include_str!("../sql/api_job_run.sql");
    let mut found = rows(store, sql, params, "cannot read a run from the run ledger", job_run)?;
    Ok(found.pop())
}

/// The newest run of each job that ever ran.
pub fn latest_runs(store: &Store) -> Result<Vec<JobRun>> {
    rows(
        store,
        include_str!("../sql/api_job_latest.sql"),
        &[],
        "cannot read the newest runs",
        job_run,
    )
}

/// The newest run of each job and each day, week and month that ends on `first_day` or later.
pub fn job_grid(store: &Store, first_day: NaiveDate) -> Result<Vec<GridCell>> {
    // Not after any of their keys: a month's is the shortest, and a week's of late December may name the year after.
    let from = Window::Month(Month::of(first_day - Days::new(7)));
    let params = named_params! { "from": from.to_string() };
    let cells = rows(
        store,
        include_str!("../sql/api_job_grid.sql"),
        params,
        "cannot read the grid of runs",
        |row| {
            Ok(GridCell {
                job: row.get(0)?,
                window: window(row, 1)?,
                outcome: row.get(2)?,
                attempts: row.get(3)?,
                run_id: uuid(row, 4)?,
                error: row.get(5)?,
            })
        },
    )?;
    let is_shown = |cell: &GridCell| cell.window.span().is_some_and(|(_, last)| last >= first_day);
    Ok(cells.into_iter().filter(is_shown).collect())
}

/// The newest runs of `job` for `window`, newest first.
pub fn window_runs(store: &Store, job: &str, window: Window, limit: u32) -> Result<Vec<JobRun>> {
    let params = named_params! { "job": job, "window": window.to_string(), "limit": limit };
    rows(
        store,
        include_str!("../sql/api_window_runs.sql"),
        params,
        "cannot read the runs of a window from the run ledger",
        job_run,
    )
}

fn window(row: &Row<'_>, column: usize) -> duckdb::Result<Window> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| super::unreadable(column, error))
}

/// A page of the sealed days, newest first, before `before`.
pub fn sealed_days(store: &Store, before: Option<NaiveDate>, limit: u32) -> Result<Vec<SealedDay>> {
    let params = named_params! { "before": before.map(|day| day.to_string()), "limit": limit };
    rows(
        store,
        include_str!("../sql/api_sealed_days.sql"),
        params,
        "cannot read the sealed days",
        |row| {
            let day: String = row.get(0)?;
            Ok(SealedDay {
                day: day.parse().map_err(|error| super::unreadable(0, error))?,
                sealed_at: instant(row, 1)?,
                ride_count: row.get(2)?,
                reading_count: row.get(3)?,
                seal_count: row.get(4)?,
            })
        },
    )
}

/// The newest mails, their recipients masked.
pub fn outbox(store: &Store, limit: u32) -> Result<Vec<OutboxMessage>> {
    let params = named_params! { "limit": limit };
    rows(
        store,
        include_str!("../sql/api_outbox.sql"),
        params,
        "cannot read the outbox",
        |row| {
            Ok(OutboxMessage {
                message_id: uuid(row, 0)?,
                kind: row.get(1)?,
                topic: row.get(2)?,
                recipient: masked(&row.get::<_, String>(3)?),
                state: row.get(4)?,
                subject: row.get(5)?,
                created_at: instant(row, 6)?,
                attempts: row.get(7)?,
                attempted_at: maybe_instant(row, 8)?,
                settled_at: maybe_instant(row, 9)?,
                detail: row.get(10)?,
            })
        },
    )
}

/// A mail as it left or will leave, RFC 5322.
pub fn outbox_payload(store: &Store, message_id: Uuid) -> Result<Option<Vec<u8>>> {
    let sql = include_str!("../sql/api_outbox_payload.sql");
    let params = named_params! { "message_id": message_id.to_string() };
    Ok(rows(store, sql, params, "cannot read a mail", |row| row.get(0))?.pop())
}

/// Where the pipeline stands.
pub fn standing(store: &Store) -> Result<Standing> {
    one_row(
        store,
        include_str!("../sql/api_status.sql"),
        "cannot read where the pipeline stands",
        |row| {
            Ok(Standing {
                messages: count(row, 0)?,
                readings: count(row, 1)?,
                partitions: count(row, 2)?,
                log_clock: maybe_instant(row, 3)?,
                flushed_at: maybe_instant(row, 4)?,
                buffer_rides: count(row, 5)?,
                open_rides: count(row, 6)?,
                buffer_readings: count(row, 7)?,
                rejected_lines: count(row, 8)?,
                sealed_days: count(row, 9)?,
                last_sealed_day: parsed(row, 10)?,
                sealed_rides: count(row, 11)?,
                published_at: maybe_instant(row, 12)?,
                messages_waiting: count(row, 13)?,
                messages_total: count(row, 14)?,
                jobs_running: count(row, 15)?,
            })
        },
    )
}

/// A mail address with all but its first letter and its domain hidden.
#[must_use]
pub fn masked(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first = local.rsplit('<').next().unwrap_or(local).chars().next();
            format!(
                "{}…@{}",
                first.map(String::from).unwrap_or_default(),
                domain.trim_end_matches('>')
            )
        }
        None => "…".to_owned(),
    }
}

fn job_run(row: &Row<'_>) -> duckdb::Result<JobRun> {
    Ok(JobRun {
        run_id: uuid(row, 0)?,
        job: row.get(1)?,
        window: row.get(2)?,
        attempt: row.get(3)?,
        reason: row.get(4)?,
        scheduled_at: instant(row, 5)?,
        started_at: instant(row, 6)?,
        finished_at: maybe_instant(row, 7)?,
        outcome: row.get(8)?,
        counts: row.get(9)?,
        error: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_recipient_is_recognisable_and_not_readable() {
        assert_eq!(super::masked("ceo@deloton.example"), "c…@deloton.example");
        assert_eq!(super::masked("Ann <ann@x.y>"), "a…@x.y");
        assert_eq!(super::masked("nobody"), "…");
    }
}
