//! What was published where and when.

use chrono::{DateTime, SecondsFormat, Utc};
use duckdb::{Connection, params};
use uuid::Uuid;

use super::{Doing, Result};

/// What one publish call did.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// Where the site is.
    pub target: &'a str,
    /// The run that published.
    pub run_id: Option<Uuid>,
    /// Files written.
    pub written: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Files that were there with the same content.
    pub unchanged: u64,
}

/// Records a publication at `now`.
///
/// # Errors
/// When it cannot be written.
pub fn record(connection: &Connection, publication: &Publication<'_>, now: DateTime<Utc>) -> Result<()> {
    let Publication {
        target,
        run_id,
        written,
        deleted,
        unchanged,
    } = *publication;
    let at = now.to_rfc3339_opts(SecondsFormat::Micros, true);
    connection
        .execute(
            include_str!("sql/publication_record.sql"),
            params![target, at, run_id.map(|id| id.to_string()), written, unchanged, deleted],
        )
        .map(drop)
        .doing(|| format!("failed to record the publication to `{target}`"))
}
