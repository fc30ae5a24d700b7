//! Leaderboards and towns.

use poem_openapi::{Enum, Object};

use crate::store::query;

/// What a leaderboard ranks riders by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Measure {
    /// Rides completed.
    Rides,
    /// Time ridden, seconds.
    Duration,
    /// Longest ride, seconds.
    LongestRide,
    /// Work done, kilojoules.
    Energy,
    /// Mean over rides of mean power, watts.
    PowerMean,
    /// Highest power, watts.
    PowerMax,
    /// Mean over rides of mean heart rate, beats a minute.
    HeartRateMean,
    /// Highest heart rate, beats a minute.
    HeartRateMax,
    /// Mean over rides of mean cadence, revolutions a minute.
    CadenceMean,
    /// Highest cadence, revolutions a minute.
    CadenceMax,
}

impl Measure {
    /// What the store ranks by, and the unit of its figures.
    pub(in crate::api) fn ranked_and_unit(self) -> (query::Measure, &'static str) {
        match self {
            Measure::Rides => (query::Measure::Rides, "rides"),
            Measure::Duration => (query::Measure::Duration, "seconds"),
            Measure::LongestRide => (query::Measure::LongestRide, "seconds"),
            Measure::Energy => (query::Measure::Energy, "kilojoules"),
            Measure::PowerMean => (query::Measure::PowerMean, "watts"),
            Measure::PowerMax => (query::Measure::PowerMax, "watts"),
            Measure::HeartRateMean => (query::Measure::HeartRateMean, "bpm"),
            Measure::HeartRateMax => (query::Measure::HeartRateMax, "bpm"),
            Measure::CadenceMean => (query::Measure::CadenceMean, "rpm"),
            Measure::CadenceMax => (query::Measure::CadenceMax, "rpm"),
        }
    }
}

/// A place on the leaderboard.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Place {
    /// 1 for the best. Equal figures share a rank, and the ranks they take are skipped after them: 1, 2, 2, 4.
    pub rank: i64,
    /// The rider; null for viewers.
    pub rider_id: Option<i64>,
    /// Their name; for administrators.
    pub name: Option<String>,
    /// What they are called before those who may not know who they are; the same on every board.
    pub pseudonym: String,
    /// The figure, in `unit`.
    pub value: f64,
    /// The figure's unit.
    pub unit: String,
    /// Rides it is taken over.
    pub rides: i64,
}

/// A town that riders live in.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct City {
    /// Its name.
    pub name: String,
    /// Riders who live there.
    pub riders: i64,
    /// Their rides.
    pub rides: i64,
}

impl From<query::City> for City {
    fn from(city: query::City) -> Self {
        City {
            name: city.name,
            riders: city.riders,
            rides: city.rides,
        }
    }
}
