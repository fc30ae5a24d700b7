//! What the API says of bikes being ridden.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::naming::Naming;
use crate::{
    domain::{heart_rate::Zone, live::LiveBike},
    store::query::{Best, LiveReading},
};

/// A page of the bikes being ridden, in the order of their names.
#[derive(Debug, Clone, Object)]
pub(super) struct RidingList {
    /// The page's items.
    pub items: Vec<Riding>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next: Option<String>,
}

/// A bike being ridden, as of its newest reading.
#[derive(Debug, Clone, PartialEq, Object)]
pub(super) struct Riding {
    /// The bike.
    pub bike_serial: String,
    /// The ride under way.
    pub ride_id: Uuid,
    /// Null where the bike never said who rides, and for viewers.
    pub rider_id: Option<i64>,
    /// The rider's name; for administrators.
    pub name: Option<String>,
    /// What the rider is called before those who may not know who it is; the same at every ride.
    pub pseudonym: Option<String>,
    /// The rider's age in years.
    pub age: Option<i32>,
    /// `female`, `male`, `other` or `unknown`.
    pub gender: String,
    /// Height; null for viewers.
    pub height_cm: Option<i32>,
    /// Weight; null for viewers.
    pub weight_kg: Option<i32>,
    /// When the ride began.
    pub started_at: DateTime<Utc>,
    /// When the newest reading was taken.
    pub at: DateTime<Utc>,
    /// How old the newest reading is now. Above 5 the bike is shown as silent.
    pub age_of_reading_seconds: i64,
    /// The bike's own counter.
    pub second: i32,
    /// Beats a minute; null without hand contact.
    pub heart_rate_bpm: Option<i32>,
    /// Beats a minute below which an alert is raised.
    pub heart_rate_lower_limit_bpm: Option<i32>,
    /// Beats a minute above which an alert is raised.
    pub heart_rate_limit_bpm: Option<i32>,
    /// How the heart rate stands to the limits, by the rule that alerts are raised by: `within`; `leaving`: outside, but
    /// not for as long as an alert takes; `high` or `low`: for as long; `no_contact`: nothing has been measured for some
    /// seconds; `unlimited`: no limit is known.
    pub heart_rate_standing: String,
    /// `z1` to `z5`: shares of the maximum for the age; null without contact, or where the age is not known.
    pub heart_rate_zone: Option<String>,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Watts; the highest of any second so far.
    pub power_watts_max: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units.
    pub resistance: Option<i32>,
    /// Work done since the ride began.
    pub energy_kilojoules: f64,
}

impl Riding {
    /// The bike as it is at `now`.
    #[must_use]
    pub(super) fn at(bike: &LiveBike, now: DateTime<Utc>, naming: &Naming) -> Self {
        let zone = bike.zone().map(Zone::name);
        let (ride, newest) = (&bike.ride, bike.now);
        Riding {
            bike_serial: ride.bike_serial.clone(),
            ride_id: ride.ride_id,
            rider_id: naming.of_one(ride.rider_id),
            name: naming.name(ride.name.as_deref()),
            pseudonym: naming.pseudonym(ride.rider_id),
            age: ride.age,
            gender: ride.gender.name().to_owned(),
            height_cm: naming.of_one(ride.height_cm),
            weight_kg: naming.of_one(ride.weight_kg),
            started_at: ride.started_at,
            at: newest.at,
            age_of_reading_seconds: (now - newest.at).num_seconds().max(0),
            second: newest.second,
            heart_rate_bpm: newest.heart_rate_bpm,
            heart_rate_lower_limit_bpm: ride.limits.lower.map(|limit| limit.bpm),
            heart_rate_limit_bpm: ride.limits.upper.map(|limit| limit.bpm),
            heart_rate_standing: newest.standing.name().to_owned(),
            heart_rate_zone: zone.map(str::to_owned),
            power_watts: newest.power_watts,
            power_watts_max: newest.power_watts_max,
            cadence_rpm: newest.cadence_rpm,
            resistance: newest.resistance,
            energy_kilojoules: newest.energy_kilojoules,
        }
    }
}

/// A bike being ridden and its ride so far, column by column for a chart.
#[derive(Debug, Clone, PartialEq, Object)]
pub(super) struct RidingTrace {
    /// The bike and its newest reading.
    pub riding: Riding,
    /// The best of the rider's earlier rides; null where the bike never said who rides.
    pub bests: Option<Bests>,
    /// The bike's own counter, one entry a reading, oldest first; the other columns go with it.
    pub second: Vec<i32>,
    /// Beats a minute; null without hand contact.
    pub heart_rate_bpm: Vec<Option<i32>>,
    /// Watts.
    pub power_watts: Vec<Option<f64>>,
    /// Revolutions a minute.
    pub cadence_rpm: Vec<Option<i32>>,
    /// Bike units.
    pub resistance: Vec<Option<i32>>,
}

impl RidingTrace {
    /// A bike and its `readings`, oldest first.
    pub(super) fn of(riding: Riding, bests: Option<Vec<Best>>, readings: &[LiveReading]) -> Self {
        RidingTrace {
            riding,
            bests: bests.as_deref().map(Bests::of),
            second: readings.iter().map(|reading| reading.second).collect(),
            heart_rate_bpm: readings.iter().map(|reading| reading.heart_rate_bpm).collect(),
            power_watts: readings.iter().map(|reading| reading.power_watts).collect(),
            cadence_rpm: readings.iter().map(|reading| reading.cadence_rpm).collect(),
            resistance: readings.iter().map(|reading| reading.resistance).collect(),
        }
    }
}

/// The best of a rider's rides before this one; null where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Object)]
pub(super) struct Bests {
    /// The longest ride.
    pub duration_seconds: Option<i32>,
    /// The most work of a ride.
    pub energy_kilojoules: Option<f64>,
    /// The highest power of any second.
    pub power_watts: Option<f64>,
}

impl Bests {
    fn of(bests: &[Best]) -> Self {
        let of = |measure: &str| bests.iter().find(|best| best.measure == measure).map(|best| best.value);
        Bests {
            #[expect(clippy::cast_possible_truncation, reason = "a ride's whole seconds")]
            duration_seconds: of("duration_seconds").map(|seconds| seconds as i32),
            energy_kilojoules: of("energy_kilojoules"),
            power_watts: of("power_watts_max"),
        }
    }
}
