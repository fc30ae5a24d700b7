//! Word that a ride is over: what other programs are told.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    message::{Envelope, MessageKind},
    ride::Ride,
};

/// Of rides that ended longer ago nobody is told: they come from a file, or from far behind in the log.
const NEWS: TimeDelta = TimeDelta::days(1);

/// Where word of rides goes when they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideTarget {
    /// What is sent.
    pub kind: MessageKind,
    /// A folder or bucket, a topic's ARN, a URL.
    pub recipient: String,
}

/// A ride as it ended: the columns of its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the columns of `historical.ride`")]
pub struct RideEnded {
    pub ride_id: Uuid,
    pub business_day: NaiveDate,
    pub bike_serial: String,
    pub rider_id: Option<i64>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub end_reason: String,
    pub is_partial: bool,
    pub duration_seconds: i32,
    pub reading_count: i32,
    pub energy_kilojoules: f64,
    pub power_watts_mean: Option<f64>,
    pub power_watts_max: Option<f64>,
    pub heart_rate_bpm_mean: Option<f64>,
    pub heart_rate_bpm_min: Option<f64>,
    pub heart_rate_bpm_max: Option<f64>,
    pub dropout_seconds: i32,
    pub cadence_rpm_mean: Option<f64>,
    pub cadence_rpm_max: Option<f64>,
    pub resistance_mean: Option<f64>,
    pub resistance_max: Option<f64>,
    pub flagged_readings: i32,
    pub alert_count: i32,
}

/// Where the files of a ride are that ended in a day, below the exports' root.
#[must_use]
pub fn folder_of(ride_id: Uuid, business_day: NaiveDate) -> String {
    format!("rides/date={business_day}/{ride_id}")
}

impl RideEnded {
    /// What there is to tell of `ride` at `now`; nothing while it is open, and of one that ended long ago.
    #[must_use]
    pub fn of(ride: &Ride, now: DateTime<Utc>) -> Option<Self> {
        let ended_at = ride.ended_at.filter(|&ended_at| now - ended_at <= NEWS)?;
        let totals = &ride.totals;
        Some(RideEnded {
            ride_id: ride.ride_id,
            business_day: ride.business_day?,
            bike_serial: ride.bike_serial.clone(),
            rider_id: ride.rider_id,
            started_at: ride.started_at,
            ended_at,
            end_reason: ride.end_reason?.name().to_owned(),
            is_partial: ride.is_partial,
            duration_seconds: totals.duration_seconds,
            reading_count: totals.reading_count,
            energy_kilojoules: totals.energy_kilojoules(),
            power_watts_mean: totals.power.mean(),
            power_watts_max: totals.power.max(),
            heart_rate_bpm_mean: totals.heart_rate.mean(),
            heart_rate_bpm_min: totals.heart_rate.min(),
            heart_rate_bpm_max: totals.heart_rate.max(),
            dropout_seconds: totals.dropout_seconds,
            cadence_rpm_mean: totals.cadence.mean(),
            cadence_rpm_max: totals.cadence.max(),
            resistance_mean: totals.resistance.mean(),
            resistance_max: totals.resistance.max(),
            flagged_readings: totals.flagged_readings,
            alert_count: ride.alert_count,
        })
    }

    /// Where the files of a ride are, below the exports' root. A ride that was reopened and ended in another day is in that
    /// day's folder.
    #[must_use]
    pub fn folder(&self) -> String {
        folder_of(self.ride_id, self.business_day)
    }

    /// What makes this end the only one: the ride, when it ended and with how many readings. A ride that goes on ends anew.
    #[must_use]
    pub fn topic(&self) -> String {
        let ended_at = self.ended_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("{} {ended_at} {}", self.ride_id, self.reading_count)
    }

    /// The row of the send ledger that tells `target`.
    ///
    /// # Panics
    /// Never: plain values can be written as JSON.
    #[must_use]
    pub fn envelope(&self, target: &RideTarget) -> Envelope {
        let topic = self.topic();
        let payload = serde_json::to_vec(self).expect("plain values can be written as JSON");
        Envelope {
            message_id: target.kind.message_id(&topic, &target.recipient),
            kind: target.kind,
            recipient: target.recipient.clone(),
            subject: format!("Ride on {} ended", self.bike_serial),
            content_hash: super::artifact::sha256_hex([payload.as_slice()]),
            topic,
            mime: payload,
        }
    }
}
