//! The rows of `ride` and `reading` as they are stored.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Row;
use uuid::Uuid;

use super::{instant, maybe_instant, parsed, uuid};

/// A row of `ride`. Means are over the readings that have the value; heart-rate figures over readings with contact.
#[derive(Debug, Clone, PartialEq)]
pub struct RideRow {
    /// The ride; later rides have greater ids.
    pub ride_id: Uuid,
    /// The day the ride ended in; none while it is open.
    pub business_day: Option<NaiveDate>,
    /// The bike.
    pub bike_serial: String,
    /// None where the header was never seen.
    pub rider_id: Option<i64>,
    /// The header's instant.
    pub started_at: DateTime<Utc>,
    /// The last reading's instant; none while the ride is open.
    pub ended_at: Option<DateTime<Utc>>,
    /// `marker`, `next_ride` or `idle`; none while the ride is open.
    pub end_reason: Option<String>,
    /// Joined midway.
    pub is_partial: bool,
    /// The largest second of the bike's own counter.
    pub duration_seconds: i32,
    /// Distinct seconds received.
    pub reading_count: i32,
    /// Sum of watts over seconds, divided by 1000.
    pub energy_kilojoules: f64,
    /// Watts.
    pub power_watts_mean: Option<f64>,
    /// Watts.
    pub power_watts_min: Option<f64>,
    /// Watts.
    pub power_watts_max: Option<f64>,
    /// Beats a minute.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Beats a minute.
    pub heart_rate_bpm_min: Option<i32>,
    /// Beats a minute.
    pub heart_rate_bpm_max: Option<i32>,
    /// Readings without hand contact.
    pub dropout_seconds: i32,
    /// Revolutions a minute.
    pub cadence_rpm_mean: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm_min: Option<i32>,
    /// Revolutions a minute.
    pub cadence_rpm_max: Option<i32>,
    /// Bike units, not a percentage.
    pub resistance_mean: Option<f64>,
    /// Bike units, not a percentage.
    pub resistance_min: Option<i32>,
    /// Bike units, not a percentage.
    pub resistance_max: Option<i32>,
    /// Readings outside the plausible bounds.
    pub flagged_readings: i32,
    /// Heart-rate alerts raised.
    pub alert_count: i32,
}

/// A row of `reading`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingRow {
    /// The bike's own counter, 1-based.
    pub second: i32,
    /// When, on the log's clock.
    pub recorded_at: DateTime<Utc>,
    /// Bike units.
    pub resistance: Option<i32>,
    /// Beats a minute; none without contact.
    pub heart_rate_bpm: Option<i32>,
    /// The sensor said 0: no hand contact.
    pub is_dropout: bool,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Outside the plausible bounds.
    pub is_flagged: bool,
}

/// A row as `sql/api_rides.sql` selects it.
pub(super) fn ride(row: &Row<'_>) -> duckdb::Result<RideRow> {
    Ok(RideRow {
        ride_id: uuid(row, 0)?,
        business_day: parsed(row, 1)?,
        bike_serial: row.get(2)?,
        rider_id: row.get(3)?,
        started_at: instant(row, 4)?,
        ended_at: maybe_instant(row, 5)?,
        end_reason: row.get(6)?,
        is_partial: row.get(7)?,
        duration_seconds: row.get(8)?,
        reading_count: row.get(9)?,
        energy_kilojoules: row.get(10)?,
        power_watts_mean: row.get(11)?,
        power_watts_max: row.get(12)?,
        heart_rate_bpm_mean: row.get(13)?,
        heart_rate_bpm_min: row.get(14)?,
        heart_rate_bpm_max: row.get(15)?,
        dropout_seconds: row.get(16)?,
        cadence_rpm_mean: row.get(17)?,
        cadence_rpm_max: row.get(18)?,
        resistance_mean: row.get(19)?,
        resistance_max: row.get(20)?,
        flagged_readings: row.get(21)?,
        alert_count: row.get(22)?,
        power_watts_min: row.get(23)?,
        cadence_rpm_min: row.get(24)?,
        resistance_min: row.get(25)?,
    })
}

/// A row as `sql/api_readings.sql` selects it.
pub(super) fn reading(row: &Row<'_>) -> duckdb::Result<ReadingRow> {
    Ok(ReadingRow {
        second: row.get(0)?,
        recorded_at: instant(row, 1)?,
        resistance: row.get(2)?,
        heart_rate_bpm: row.get(3)?,
        is_dropout: row.get(4)?,
        cadence_rpm: row.get(5)?,
        power_watts: row.get(6)?,
        is_flagged: row.get(7)?,
    })
}
