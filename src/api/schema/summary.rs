//! A ride in a few figures, and a ride with everything.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::{Reading, Ride};
use crate::store::query::{ReadingRow, RideRow};

/// A ride in a few figures.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct RideSummary {
    /// The ride.
    pub ride_id: Uuid,
    /// Null where the bike never said who rides.
    pub rider_id: Option<i64>,
    /// When the rider signed in.
    pub started_at: DateTime<Utc>,
    /// The bike's own counter at the end.
    pub duration_seconds: i32,
    /// The same for people: `8 min 18 s`.
    pub duration: String,
    /// Work done.
    pub energy_kilojoules: f64,
    /// Mean over readings.
    pub power_watts_mean: Option<f64>,
    /// Mean over readings with hand contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Mean over readings.
    pub cadence_rpm_mean: Option<f64>,
    /// Mean over readings; bike units, not a percentage.
    pub resistance_mean: Option<f64>,
}

impl From<RideRow> for RideSummary {
    fn from(ride: RideRow) -> Self {
        RideSummary {
            ride_id: ride.ride_id,
            rider_id: ride.rider_id,
            started_at: ride.started_at,
            duration_seconds: ride.duration_seconds,
            duration: in_words(ride.duration_seconds),
            energy_kilojoules: ride.energy_kilojoules,
            power_watts_mean: ride.power_watts_mean,
            heart_rate_bpm_mean: ride.heart_rate_bpm_mean,
            cadence_rpm_mean: ride.cadence_rpm_mean,
            resistance_mean: ride.resistance_mean,
        }
    }
}

fn in_words(seconds: i32) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, seconds) => format!("{hours} h {minutes} min {seconds} s"),
    }
}

/// A ride with every reading.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct ExpandedRide {
    /// The ride.
    #[oai(flatten)]
    pub ride: Ride,
    /// One for each second that was received, in order.
    pub readings: Vec<Reading>,
}

impl From<(RideRow, Vec<ReadingRow>)> for ExpandedRide {
    fn from((ride, readings): (RideRow, Vec<ReadingRow>)) -> Self {
        ExpandedRide {
            ride: ride.into(),
            readings: readings.into_iter().map(Reading::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_duration_is_written_as_people_say_it() {
        assert_eq!([59, 498, 3600].map(in_words), ["59 s", "8 min 18 s", "1 h 0 min 0 s"]);
    }
}
