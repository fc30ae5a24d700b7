//! The rides of the last hours, as staff look at them.

use chrono::{DateTime, Utc};
use duckdb::named_params;
use uuid::Uuid;

use super::{instant, rows, uuid};
use crate::{
    domain::rider::Gender,
    store::{Result, Store},
};

/// Which rides: those that began from `since` to `until`, both included.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentFilter {
    /// The earliest.
    pub since: DateTime<Utc>,
    /// The latest.
    pub until: DateTime<Utc>,
    /// Only of riders of this gender.
    pub gender: Option<Gender>,
    /// Only of riders in this age band, as the daily tables name them.
    pub age_band: Option<String>,
}

/// What the rides of one hour and one kind of rider come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// The hour that they began in.
    pub starts_at: DateTime<Utc>,
    /// The riders' gender, as the daily tables name it.
    pub gender: String,
    /// The riders' age band.
    pub age_band: String,
    /// Rides.
    pub rides: i64,
    /// Of those, under way.
    pub riding: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
    /// Sum of the rides' mean power, watts, and how many rides have one.
    pub power_watts: (f64, i64),
    /// Sum of the rides' mean heart rate with contact, beats a minute, and how many rides have one.
    pub heart_rate_bpm: (f64, i64),
}

/// A ride and who rode.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentRide {
    /// The ride.
    pub ride_id: Uuid,
    /// The bike.
    pub bike_serial: String,
    /// None where the header was never seen.
    pub rider_id: Option<i64>,
    /// The rider's name as received.
    pub name: Option<String>,
    /// The rider's gender.
    pub gender: Gender,
    /// The rider's age in years at the start of the ride.
    pub age: Option<i32>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Whether it is under way.
    pub is_open: bool,
    /// The largest second of the bike's own counter.
    pub duration_seconds: i32,
    /// Work done.
    pub energy_kilojoules: f64,
    /// Mean over readings, watts.
    pub power_watts_mean: Option<f64>,
    /// Mean over readings with contact, beats a minute.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Heart-rate alerts raised.
    pub alert_count: i32,
}

/// What the rides come to, by the hour they began in and who rode.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn recent_activity(store: &Store, filter: &RecentFilter) -> Result<Vec<Activity>> {
    rows(
        store,
        concat!(
            include_str!("../sql/recent_span.sql"),
            include_str!("../sql/recent_activity.sql")
        ),
        named_params! {
            "since": filter.since.to_rfc3339(),
            "until": filter.until.to_rfc3339(),
            "gender": filter.gender.map(Gender::name),
            "age_band": filter.age_band,
        },
        "cannot add up the rides of the last hours",
        |row| {
            Ok(Activity {
                starts_at: instant(row, 0)?,
                gender: row.get(1)?,
                age_band: row.get(2)?,
                rides: row.get(3)?,
                riding: row.get(4)?,
                duration_seconds: row.get(5)?,
                energy_kilojoules: row.get(6)?,
                power_watts: (row.get(7)?, row.get(8)?),
                heart_rate_bpm: (row.get(9)?, row.get(10)?),
            })
        },
    )
}

/// A page of the rides, newest first: those that began before the ride `before`.
pub fn recent_rides(store: &Store, filter: &RecentFilter, before: Option<Uuid>, limit: u32) -> Result<Vec<RecentRide>> {
    rows(
        store,
        concat!(
            include_str!("../sql/recent_span.sql"),
            include_str!("../sql/recent_rides.sql")
        ),
        named_params! {
            "since": filter.since.to_rfc3339(),
            "until": filter.until.to_rfc3339(),
            "gender": filter.gender.map(Gender::name),
            "age_band": filter.age_band,
            "before": before.map(|ride_id| ride_id.to_string()),
            "limit": limit,
        },
        "cannot read the rides of the last hours",
        |row| {
            Ok(RecentRide {
                ride_id: uuid(row, 0)?,
                bike_serial: row.get(1)?,
                rider_id: row.get(2)?,
                name: row.get(3)?,
                gender: Gender::parse(row.get::<_, Option<String>>(4)?.as_deref()),
                age: row.get(5)?,
                started_at: instant(row, 6)?,
                is_open: row.get(7)?,
                duration_seconds: row.get(8)?,
                energy_kilojoules: row.get(9)?,
                power_watts_mean: row.get(10)?,
                heart_rate_bpm_mean: row.get(11)?,
                alert_count: row.get(12)?,
            })
        },
    )
}
