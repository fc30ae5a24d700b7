//! Rides and their seconds.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Object, types::Example};
use uuid::Uuid;

use crate::{domain, store::query};

/// One ride: from the bike's header to its end.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(example)]
pub struct Ride {
    /// The same for the same log lines on any machine; later rides have greater ids.
    pub ride_id: Uuid,
    /// The day the ride ended in, in the company's zone; null while it is being ridden.
    pub business_day: Option<NaiveDate>,
    /// The bike.
    pub bike_serial: String,
    /// Null where the bike never said who rides.
    pub rider_id: Option<i64>,
    /// When the rider signed in.
    pub started_at: DateTime<Utc>,
    /// The last reading's instant; null while it is being ridden.
    pub ended_at: Option<DateTime<Utc>>,
    /// `marker`: the bike said so; `next_ride`: the next one began; `idle`: 60 s without a line.
    pub end_reason: Option<String>,
    /// The beginning was never received.
    pub is_partial: bool,
    /// The bike's own counter at the end.
    pub duration_seconds: i32,
    /// Distinct seconds received.
    pub reading_count: i32,
    /// Work done.
    pub energy_kilojoules: f64,
    /// Mean over readings.
    pub power_watts_mean: Option<f64>,
    /// Lowest of any second.
    pub power_watts_min: Option<f64>,
    /// Highest of any second.
    pub power_watts_max: Option<f64>,
    /// Mean over readings with hand contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Lowest with hand contact.
    pub heart_rate_bpm_min: Option<i32>,
    /// Highest with hand contact.
    pub heart_rate_bpm_max: Option<i32>,
    /// Seconds without hand contact.
    pub dropout_seconds: i32,
    /// Mean over readings.
    pub cadence_rpm_mean: Option<f64>,
    /// Lowest of any second.
    pub cadence_rpm_min: Option<i32>,
    /// Highest of any second.
    pub cadence_rpm_max: Option<i32>,
    /// Mean over readings; bike units, not a percentage.
    pub resistance_mean: Option<f64>,
    /// Lowest of any second; bike units.
    pub resistance_min: Option<i32>,
    /// Highest of any second; bike units.
    pub resistance_max: Option<i32>,
    /// Readings outside the plausible bounds: kept, never deleted.
    pub flagged_readings: i32,
    /// Heart-rate alerts raised.
    pub alert_count: i32,
}

impl From<query::RideRow> for Ride {
    fn from(ride: query::RideRow) -> Self {
        Ride {
            ride_id: ride.ride_id,
            business_day: ride.business_day,
            bike_serial: ride.bike_serial,
            rider_id: ride.rider_id,
            started_at: ride.started_at,
            ended_at: ride.ended_at,
            end_reason: ride.end_reason,
            is_partial: ride.is_partial,
            duration_seconds: ride.duration_seconds,
            reading_count: ride.reading_count,
            energy_kilojoules: ride.energy_kilojoules,
            power_watts_mean: ride.power_watts_mean,
            power_watts_min: ride.power_watts_min,
            power_watts_max: ride.power_watts_max,
            heart_rate_bpm_mean: ride.heart_rate_bpm_mean,
            heart_rate_bpm_min: ride.heart_rate_bpm_min,
            heart_rate_bpm_max: ride.heart_rate_bpm_max,
            dropout_seconds: ride.dropout_seconds,
            cadence_rpm_mean: ride.cadence_rpm_mean,
            cadence_rpm_min: ride.cadence_rpm_min,
            cadence_rpm_max: ride.cadence_rpm_max,
            resistance_mean: ride.resistance_mean,
            resistance_min: ride.resistance_min,
            resistance_max: ride.resistance_max,
            flagged_readings: ride.flagged_readings,
            alert_count: ride.alert_count,
        }
    }
}

impl Example for Ride {
    /// A real one: bike SN0000 on the evening of 6 July 2022 UTC, which in London is the 7th.
    fn example() -> Self {
        let started_at = DateTime::from_timestamp_micros(1_657_150_175_435_798).unwrap_or_default();
        Ride {
            ride_id: domain::ride::ride_id("SN0000", started_at),
            business_day: NaiveDate::from_ymd_opt(2022, 7, 7),
            bike_serial: "SN0000".to_owned(),
            rider_id: Some(100),
            started_at,
            ended_at: DateTime::from_timestamp_micros(1_657_150_673_444_906),
            end_reason: Some("idle".to_owned()),
            is_partial: false,
            duration_seconds: 498,
            reading_count: 498,
            energy_kilojoules: 29.087886,
            power_watts_mean: Some(58.40941),
            power_watts_min: Some(0.0),
            power_watts_max: Some(792.063078),
            heart_rate_bpm_mean: Some(109.172131),
            heart_rate_bpm_min: Some(55),
            heart_rate_bpm_max: Some(155),
            dropout_seconds: 10,
            cadence_rpm_mean: Some(50.638554),
            cadence_rpm_min: Some(0),
            cadence_rpm_max: Some(143),
            resistance_mean: Some(41.678715),
            resistance_min: Some(0),
            resistance_max: Some(170),
            flagged_readings: 0,
            alert_count: 0,
        }
    }
}

/// One second of a ride. What the bike did not say is null.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Reading {
    /// The bike's own counter, from 1.
    pub second: i32,
    /// When, on the log's clock.
    pub recorded_at: DateTime<Utc>,
    /// Beats a minute; null without hand contact.
    pub heart_rate_bpm: Option<i32>,
    /// The sensor had no hand contact.
    pub is_dropout: bool,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units, not a percentage.
    pub resistance: Option<i32>,
    /// Outside the plausible bounds.
    pub is_flagged: bool,
}

impl From<query::ReadingRow> for Reading {
    fn from(reading: query::ReadingRow) -> Self {
        Reading {
            second: reading.second,
            recorded_at: reading.recorded_at,
            heart_rate_bpm: reading.heart_rate_bpm,
            is_dropout: reading.is_dropout,
            power_watts: reading.power_watts,
            cadence_rpm: reading.cadence_rpm,
            resistance: reading.resistance,
            is_flagged: reading.is_flagged,
        }
    }
}

/// A ride and how long it was.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct RideDuration {
    /// The ride.
    pub ride_id: Uuid,
    /// The bike's own counter at its end.
    pub duration_seconds: i32,
}
