//! Days that were reported.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;

/// A finished day and where its report is.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Report {
    /// The business day.
    pub day: NaiveDate,
    /// Rides that ended in it.
    pub rides: i64,
    /// Their readings.
    pub readings: i64,
    /// When the day was closed last.
    pub sealed_at: DateTime<Utc>,
    /// More than once: its figures moved after late lines or a deletion.
    pub seal_count: i32,
    /// What is published of it; empty before anything is.
    pub links: Vec<Link>,
}

/// Where something is published.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Link {
    /// `html`, `pdf`, `json`, `csv`, …
    pub format: String,
    /// Its address.
    pub href: String,
}
