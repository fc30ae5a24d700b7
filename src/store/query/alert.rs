//! Heart-rate alerts as they were raised, and what became of their mails.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Row, named_params};
use uuid::Uuid;

use super::{instant, parsed, rows, uuid};
use crate::{
    domain::message::MessageKind,
    store::{Result, Store},
};

/// Which alerts, newest first. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only of rides that ended in this business day.
    pub day: Option<NaiveDate>,
    /// Only this rider's.
    pub rider_id: Option<i64>,
    /// Only those before this one: the last of the page before, by its instant and its ride.
    pub before: Option<(DateTime<Utc>, Uuid)>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// The ride.
    pub ride_id: Uuid,
    /// The day the ride ended in; none while it is open.
    pub business_day: Option<NaiveDate>,
    /// Its rider.
    pub rider_id: i64,
    /// The instant of the reading that raised it.
    pub raised_at: DateTime<Utc>,
    /// That reading's second.
    pub second: i32,
    /// `high` or `low`.
    pub direction: String,
    /// 1 for the first of its ride and direction.
    pub level: i32,
    /// What was measured.
    pub heart_rate_bpm: i32,
    /// The limit it is outside of.
    pub limit_bpm: i32,
    /// Where the limit comes from.
    pub limit_source: String,
    /// Seconds with contact outside the limit.
    pub sustained_seconds: i32,
    /// Where its mail stands; none where nobody was mailed.
    pub mail_state: Option<String>,
}

/// A page of the alerts.
///
/// # Errors
/// When the database cannot be read.
pub fn alerts(store: &Store, filter: &AlertFilter, limit: u32) -> Result<Vec<AlertRow>> {
    let params = named_params! {
        "kind": MessageKind::HeartRateAlert.name(),
        "day": filter.day.map(|day| day.to_string()),
        "rider_id": filter.rider_id,
        "before": filter.before.map(|(at, _)| at.to_rfc3339()),
        "before_ride": filter.before.map(|(_, ride)| ride.to_string()),
        "limit": limit,
    };
    let sql = include_str!("../sql/api_alerts.sql");
    rows(store, sql, params, "cannot read the heart-rate alerts", alert)
}

fn alert(row: &Row<'_>) -> duckdb::Result<AlertRow> {
    Ok(AlertRow {
        ride_id: uuid(row, 0)?,
        business_day: parsed(row, 1)?,
        rider_id: row.get(2)?,
        raised_at: instant(row, 3)?,
        second: row.get(4)?,
        direction: row.get(5)?,
        level: row.get(6)?,
        heart_rate_bpm: row.get(7)?,
        limit_bpm: row.get(8)?,
        limit_source: row.get(9)?,
        sustained_seconds: row.get(10)?,
        mail_state: row.get(11)?,
    })
}
