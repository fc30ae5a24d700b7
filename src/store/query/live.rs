//! What is asked of a ride while it is under way.

use duckdb::named_params;
use uuid::Uuid;

use super::rows;
use crate::store::{Result, Store};

/// What a chart of a ride under way is drawn of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveReading {
    /// The bike's own counter.
    pub second: i32,
    /// Beats a minute; none without contact.
    pub heart_rate_bpm: Option<i32>,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units.
    pub resistance: Option<i32>,
}

/// The readings of a ride under way that were written so far, in order.
///
/// # Errors
/// When the database cannot be read.
pub fn live_readings(store: &Store, ride_id: Uuid) -> Result<Vec<LiveReading>> {
    rows(
        store,
        include_str!("../sql/live_readings.sql"),
        named_params! { "ride_id": ride_id.to_string() },
        "cannot read the readings of a ride under way",
        |row| {
            Ok(LiveReading {
                second: row.get(0)?,
                heart_rate_bpm: row.get(1)?,
                power_watts: row.get(2)?,
                cadence_rpm: row.get(3)?,
                resistance: row.get(4)?,
            })
        },
    )
}
