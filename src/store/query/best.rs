//! A rider's personal bests.

use chrono::{DateTime, Utc};
use duckdb::named_params;
use uuid::Uuid;

use super::{instant, rows, uuid};
use crate::store::{Result, Store};

/// A rider's best figure of one kind, over rides that have ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// The kind, a column of `ride`.
    pub measure: String,
    /// The figure.
    pub value: f64,
    /// The ride in which it was reached first.
    pub ride_id: Uuid,
    /// When that ride began.
    pub started_at: DateTime<Utc>,
}

/// A rider's best figures, of all rides or of those that began before another; none where none has ended.
///
/// # Errors
/// When the database cannot be read.
pub fn bests(store: &Store, rider_id: i64, before: Option<Uuid>) -> Result<Vec<Best>> {
    rows(
        store,
        include_str!("../sql/api_bests.sql"),
        named_params! { "rider_id": rider_id, "before": before.map(|ride_id| ride_id.to_string()) },
        "cannot read a rider's personal bests",
        |row| {
            Ok(Best {
                measure: row.get(0)?,
                value: row.get(1)?,
                ride_id: uuid(row, 2)?,
                started_at: instant(row, 3)?,
            })
        },
    )
}
