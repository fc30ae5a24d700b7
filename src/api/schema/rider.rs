//! Riders, and what is settled for them.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;

use crate::{
    domain::{
        access::{Pseudonyms, Role},
        heart_rate::{Limits, OwnLimits},
        rider::age_at,
    },
    store::query,
};

/// A rider as their newest sign-in described them, and what their rides add up to. Who it is is null but for
/// administrators.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Rider {
    /// The company's number for the person.
    pub rider_id: i64,
    /// What the rider is called before those who may not know who it is.
    pub pseudonym: String,
    /// First names; for administrators.
    pub forename: Option<String>,
    /// Family name; for administrators.
    pub surname: Option<String>,
    /// Mail address; for administrators.
    pub email_address: Option<String>,
    /// Address in full; for administrators.
    pub address: Option<String>,
    /// Date of birth; for administrators.
    pub date_of_birth: Option<NaiveDate>,
    /// Age today, in whole years.
    pub age: Option<i32>,
    /// `female`, `male`, `other` or `unknown`.
    pub gender: String,
    /// The town of the address.
    pub town: Option<String>,
    /// The letters the postcode begins with.
    pub postcode_area: Option<String>,
    /// Height.
    pub height_cm: Option<i32>,
    /// Weight.
    pub weight_kg: Option<i32>,
    /// When the account was made.
    pub account_created_on: Option<NaiveDate>,
    /// How the rider came to us.
    pub original_source: Option<String>,
    /// Rides, one under way included.
    pub rides: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
    /// Mean over rides of the ride's mean with contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Highest of any second.
    pub heart_rate_bpm_max: Option<i32>,
    /// Mean over rides of the ride's mean.
    pub power_watts_mean: Option<f64>,
    /// Highest of any second.
    pub power_watts_max: Option<f64>,
    /// Duration of the longest ride.
    pub longest_ride_seconds: Option<i32>,
    /// Start of the first ride.
    pub first_ride_at: Option<DateTime<Utc>>,
    /// Start of the newest ride.
    pub last_ride_at: Option<DateTime<Utc>>,
}

impl Rider {
    /// The rider with their age at `now`.
    #[must_use]
    pub fn at(rider: query::RiderTotals, now: DateTime<Utc>, pseudonyms: &Pseudonyms) -> Self {
        Rider {
            rider_id: rider.rider_id,
            pseudonym: pseudonyms.of(rider.rider_id),
            forename: rider.forename,
            surname: rider.surname,
            email_address: rider.email_address,
            address: rider.address,
            age: rider.date_of_birth.and_then(|born| age_at(born, now)),
            date_of_birth: rider.date_of_birth,
            gender: rider.gender.name().to_owned(),
            town: rider.town,
            postcode_area: rider.postcode_area,
            height_cm: rider.height_cm,
            weight_kg: rider.weight_kg,
            account_created_on: rider.account_created_on,
            original_source: rider.original_source,
            rides: rider.rides,
            duration_seconds: rider.duration_seconds,
            energy_kilojoules: rider.energy_kilojoules,
            heart_rate_bpm_mean: rider.heart_rate_bpm_mean,
            heart_rate_bpm_max: rider.heart_rate_bpm_max,
            power_watts_mean: rider.power_watts_mean,
            power_watts_max: rider.power_watts_max,
            longest_ride_seconds: rider.longest_ride_seconds,
            first_ride_at: rider.first_ride_at,
            last_ride_at: rider.last_ride_at,
        }
    }

    /// What somebody of that role may know of them.
    #[must_use]
    pub fn seen_by(self, role: Role) -> Self {
        if role >= Role::Admin {
            return self;
        }
        Rider {
            forename: None,
            surname: None,
            email_address: None,
            address: None,
            date_of_birth: None,
            ..self
        }
    }
}

/// A rider's heart-rate limits: those that hold, and what was set for the rider.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct RiderLimits {
    /// The rider.
    pub rider_id: i64,
    /// Above this for long enough raises an alert; null where no limit is known.
    pub upper_bpm: Option<i32>,
    /// Where it comes from: a formula's name, or `rider` where it was set.
    pub upper_source: Option<String>,
    /// Below this for long enough raises an alert; null where no limit is known.
    pub lower_bpm: Option<i32>,
    /// Where it comes from: `age and gender`, or `rider` where it was set.
    pub lower_source: Option<String>,
    /// The upper limit that was set for the rider.
    pub own_upper_bpm: Option<i32>,
    /// The lower limit that was set for the rider.
    pub own_lower_bpm: Option<i32>,
    /// Whether the rider is mailed about alerts.
    pub is_mailed: bool,
}

impl RiderLimits {
    /// What holds and what was set.
    #[must_use]
    pub fn of(rider_id: i64, own: OwnLimits, limits: Limits) -> Self {
        RiderLimits {
            rider_id,
            upper_bpm: limits.upper.map(|limit| limit.bpm),
            upper_source: limits.upper.map(|limit| limit.source.name().to_owned()),
            lower_bpm: limits.lower.map(|limit| limit.bpm),
            lower_source: limits.lower.map(|limit| limit.source.name().to_owned()),
            own_upper_bpm: own.upper_bpm,
            own_lower_bpm: own.lower_bpm,
            is_mailed: own.is_mailed,
        }
    }
}

/// Limits to set for a rider. A side that is left out, or null, is as for everybody.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(deny_unknown_fields)]
pub struct RiderLimitsUpdate {
    /// Alert above this.
    pub upper_bpm: Option<i32>,
    /// Alert below this.
    pub lower_bpm: Option<i32>,
    /// Whether the rider wants mails about alerts.
    #[oai(default = "default_is_mailed")]
    pub is_mailed: bool,
}

fn default_is_mailed() -> bool {
    true
}
