//! A ride and its readings: the rows people know us by.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::LogInstant;

/// Why a ride is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The bike wrote its `beginning of main` marker.
    Marker,
    /// The bike's next ride began without one.
    NextRide,
    /// 60 s without a line.
    Idle,
}

impl EndReason {
    /// The name used in tables, files and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EndReason::Marker => "marker",
            EndReason::NextRide => "next_ride",
            EndReason::Idle => "idle",
        }
    }

    /// The reason called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [EndReason::Marker, EndReason::NextRide, EndReason::Idle]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

/// The id of the ride that `bike_serial` began at `started_at`: a UUIDv7 (RFC 9562) whose 48 bits of Unix
/// milliseconds are the header's instant and whose other bits are the SHA-256 of the bike's serial. The same lines
/// give the same id on any machine, at any replay; nothing of the rider is in it.
#[must_use]
pub fn ride_id(bike_serial: &str, started_at: DateTime<Utc>) -> Uuid {
    let hash = Sha256::digest(bike_serial.as_bytes());
    let mut random = [0_u8; 10];
    random.copy_from_slice(&hash[..10]);
    let millis = u64::try_from(started_at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The millisecond in which the ride of an id began, and the next; none where no ride can have the id.
#[must_use]
pub fn began(ride_id: Uuid) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let millis = i64::try_from(ride_id.as_u64_pair().0 >> 16).ok()?;
    DateTime::from_timestamp_millis(millis).zip(DateTime::from_timestamp_millis(millis + 1))
}

/// One ride: a row of `daily.ride` while it is in the buffer, of `historical.ride` afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Ride {
    /// See [`ride_id`].
    pub ride_id: Uuid,
    /// The day the ride ended in; none while it is open.
    pub business_day: Option<NaiveDate>,
    /// The bike's serial from the header, else its Kafka key, else `partition-N`.
    pub bike_serial: String,
    /// None where the header was never seen.
    pub rider_id: Option<i64>,
    /// The `Getting user data` stamp, else the `[SYSTEM]` stamp, else the first line's.
    pub started_at: DateTime<Utc>,
    /// The last reading's instant; none while the ride is open.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why the ride is over; none while it is open.
    pub end_reason: Option<EndReason>,
    /// Joined midway: the header was never seen.
    pub is_partial: bool,
    /// What its readings add up to.
    pub totals: Totals,
    /// Heart-rate alerts raised.
    pub alert_count: i32,
}

/// One second of one ride.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The ride it belongs to.
    pub ride_id: Uuid,
    /// The bike's own counter, 1-based.
    pub second: i32,
    /// The Ride line's stamp, else the Telemetry line's.
    pub at: LogInstant,
    /// Bike units; none where the Ride line or its value was missing.
    pub resistance: Option<i32>,
    /// Beats a minute; none without contact and where the Telemetry line was missing.
    pub heart_rate_bpm: Option<i32>,
    /// The sensor said 0: no hand contact.
    pub is_dropout: bool,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Outside the plausible bounds.
    pub is_flagged: bool,
    /// Which of its two lines arrived: the Ride line.
    pub has_ride_line: bool,
    /// Which of its two lines arrived: the Telemetry line.
    pub has_telemetry_line: bool,
}

/// Bounds above which a reading is flagged. Sprints of 400 to 1500 W are normal riding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlausibleBounds {
    /// Watts.
    pub power_watts: f64,
    /// Revolutions a minute.
    pub cadence_rpm: i32,
    /// Beats a minute.
    pub heart_rate_bpm: i32,
}

impl PlausibleBounds {
    /// Whether any value lies above its bound.
    #[must_use]
    pub fn are_exceeded(
        &self,
        power_watts: Option<f64>,
        cadence_rpm: Option<i32>,
        heart_rate_bpm: Option<i32>,
    ) -> bool {
        power_watts.is_some_and(|watts| watts > self.power_watts)
            || cadence_rpm.is_some_and(|rpm| rpm > self.cadence_rpm)
            || heart_rate_bpm.is_some_and(|bpm| bpm > self.heart_rate_bpm)
    }
}

impl Default for PlausibleBounds {
    fn default() -> Self {
        PlausibleBounds {
            power_watts: 2000.0,
            cadence_rpm: 150,
            heart_rate_bpm: 230,
        }
    }
}

/// Sum, count and extremes of one value over a ride's readings that have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    sum: f64,
    count: u32,
    min: f64,
    max: f64,
}

impl Series {
    fn add(&mut self, value: f64) {
        let is_first = self.count == 0;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        self.sum += value;
        self.count += 1;
    }

    /// Sum over the readings.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Arithmetic mean; none without readings.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }

    /// Smallest value; none without readings.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value; none without readings.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
}

/// What a ride's readings add up to: the one definition of a ride's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Largest second.
    pub duration_seconds: i32,
    /// Readings.
    pub reading_count: i32,
    /// Readings without contact.
    pub dropout_seconds: i32,
    /// Readings outside the plausible bounds.
    pub flagged_readings: i32,
    /// Watts.
    pub power: Series,
    /// Beats a minute, with contact.
    pub heart_rate: Series,
    /// Revolutions a minute.
    pub cadence: Series,
    /// Bike units.
    pub resistance: Series,
}

impl Totals {
    /// Adds one reading.
    pub fn add(&mut self, reading: &Reading) {
        self.duration_seconds = self.duration_seconds.max(reading.second);
        self.reading_count += 1;
        self.dropout_seconds += i32::from(reading.is_dropout);
        self.flagged_readings += i32::from(reading.is_flagged);
        for (series, value) in [
            (&mut self.power, reading.power_watts),
            (&mut self.heart_rate, reading.heart_rate_bpm.map(f64::from)),
            (&mut self.cadence, reading.cadence_rpm.map(f64::from)),
            (&mut self.resistance, reading.resistance.map(f64::from)),
        ] {
            if let Some(value) = value {
                series.add(value);
            }
        }
    }

    /// Sum of watts over seconds, divided by 1000.
    #[must_use]
    pub fn energy_kilojoules(&self) -> f64 {
        self.power.sum() / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ride_id_is_the_instant_and_the_bike() {
        let at = "2022-07-06T23:29:35.435798Z".parse().unwrap();
        let id = ride_id("SN0000", at);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id, ride_id("SN0000", at));
        assert_ne!(id, ride_id("SN0001", at));
        assert_eq!(&id.to_string()[..13], "0181d5d8-f8cb");
    }
}
