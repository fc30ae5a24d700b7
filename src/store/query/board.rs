//! What is counted over riders: leaderboards and towns.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    condition::{Conditions, RiderFilter, STARTED_ON},
    maybe_instant, one_row,
    ride::sorted,
    rows,
};
use crate::store::{Result, Store};

/// A place on the leaderboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// 1 for the best; shared by equal figures.
    pub rank: i64,
    /// The rider.
    pub rider_id: i64,
    /// Their name as received.
    pub name: Option<String>,
    /// The measure's figure, in its unit.
    pub value: f64,
    /// Rides it is taken over.
    pub rides: i64,
}

/// Which rides count for a leaderboard, and which figures are on it.
#[derive(Debug, Clone, Default)]
pub struct BoardFilter {
    /// First business day that counts.
    pub first_day: Option<NaiveDate>,
    /// Last business day that counts.
    pub last_day: Option<NaiveDate>,
    /// Whose rides count.
    pub riders: RiderFilter,
    /// The smallest figure.
    pub min: Option<f64>,
    /// The largest figure.
    pub max: Option<f64>,
    /// Places of the pages before.
    pub offset: u32,
}

impl BoardFilter {
    /// Whether all rides of a rider count, or none.
    fn counts_all_rides(&self) -> bool {
        self.first_day.is_none() && self.last_day.is_none() && self.riders.ages.is_none()
    }
}

/// What riders are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How many rides.
    Rides,
    /// Seconds over all rides.
    Duration,
    /// Seconds of the longest ride.
    LongestRide,
    /// Kilojoules over all rides.
    Energy,
    /// Mean over rides of the ride's mean, watts.
    PowerMean,
    /// Highest of any second, watts.
    PowerMax,
    /// Mean over rides of the ride's mean with contact, beats a minute.
    HeartRateMean,
    /// Highest of any second, beats a minute.
    HeartRateMax,
    /// Mean over rides of the ride's mean, revolutions a minute.
    CadenceMean,
    /// Highest of any second, revolutions a minute.
    CadenceMax,
}

/// How the figure of several rides is made.
enum Figure {
    Sum,
    Max,
    /// Of the rides that have one: how many they are, in `historical.rider_total`.
    Mean(&'static str),
}

impl Measure {
    /// How it is made, of which column of `ride`, and the column of `historical.rider_total` that has it.
    fn figure(self) -> (Figure, &'static str, &'static str) {
        match self {
            Measure::Rides => (Figure::Sum, "1", "rides"),
            Measure::Duration => (Figure::Sum, "duration_seconds", "duration_seconds"),
            Measure::LongestRide => (Figure::Max, "duration_seconds", "longest_ride_seconds"),
            Measure::Energy => (Figure::Sum, "energy_kilojoules", "energy_kilojoules"),
            Measure::PowerMean => (Figure::Mean("rides_with_power"), "power_watts_mean", "power_watts_sum"),
            Measure::PowerMax => (Figure::Max, "power_watts_max", "power_watts_max"),
            Measure::HeartRateMean => {
                let figure = Figure::Mean("rides_with_heart_rate");
                (figure, "heart_rate_bpm_mean", "heart_rate_bpm_sum")
            }
            Measure::HeartRateMax => (Figure::Max, "heart_rate_bpm_max", "heart_rate_bpm_max"),
            Measure::CadenceMean => (
                Figure::Mean("rides_with_cadence"),
                "cadence_rpm_mean",
                "cadence_rpm_sum",
            ),
            Measure::CadenceMax => (Figure::Max, "cadence_rpm_max", "cadence_rpm_max"),
        }
    }

    /// The statement with the measure's figures where they are marked.
    fn put_into(self, sql: &str) -> String {
        let (figure, of_ride, of_total) = self.figure();
        let (weight, of_rides, of_parts, value_of_total) = match figure {
            Figure::Sum => ("rides", "sum", "sum(amount)", of_total.to_owned()),
            Figure::Max => ("rides", "max", "max(amount)", of_total.to_owned()),
            Figure::Mean(weight) => {
                let of_parts = "sum(amount) / nullif(sum(weight), 0)";
                (weight, "avg", of_parts, format!("{of_total} / nullif({weight}, 0)"))
            }
        };
        sql.replace("0 /* of rides */", &format!("{of_rides}({of_ride})"))
            .replace("0 /* of parts */", of_parts)
            .replace("0 /* of a ride */", of_ride)
            .replace("0 /* of a total */", &value_of_total)
            .replace("0 /* amount of a total */", of_total)
            .replace("0 /* its weight */", weight)
    }
}

/// The best `limit` riders by `measure` over rides that have ended. Where all rides of a rider count, they are not added up
/// one by one.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn leaderboard(store: &Store, measure: Measure, filter: &BoardFilter, limit: u32) -> Result<Vec<Place>> {
    let mut conditions = Conditions::default();
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    conditions
        .when(
            text(filter.first_day),
            "first_day",
            "ride.business_day >= $first_day::date",
        )
        .when(
            text(filter.last_day),
            "last_day",
            "ride.business_day <= $last_day::date",
        )
        .of_riders(&filter.riders, STARTED_ON);
    if let Some(ages) = filter.riders.ages {
        // So that most riders' rides need not be looked at.
        let (first, last) = span_of_rides(store)?;
        let (after, before) = ages.born(first, last);
        conditions
            .when(text(after), "born_after", "whose.date_of_birth >= $born_after::date")
            .when(text(before), "born_before", "whose.date_of_birth <= $born_before::date");
    }
    let (figures, table) = if filter.counts_all_rides() {
        (include_str!("../sql/api_figures_of_totals.sql"), "total")
    } else {
        (include_str!("../sql/api_figures_of_rides.sql"), "ride")
    };
    let figures = if has_reopened_riders(store)? {
        figures.to_owned()
    } else {
        without_marked(figures, "/* reopened: */", "/* :reopened */")
            .replace("from ride ", "from ops.ride_unless_reopened as ride ")
    };
    let figures = conditions.put_into(&measure.put_into(&figures), table);
    let places = filter.offset.saturating_add(limit).to_string();
    let sql = include_str!("../sql/api_leaderboard.sql")
        .replace(
            "select 0 as rider_id, 0 as rides, 0 as value /* figures */",
            figures.trim(),
        )
        .replace("0 /* places */", &places);
    let bound = conditions.bound(&[
        ("min", &filter.min),
        ("max", &filter.max),
        ("offset", &filter.offset),
        ("limit", &limit),
    ]);
    rows(store, &sql, &bound, "cannot read the leaderboard", |row| {
        Ok(Place {
            rank: row.get(0)?,
            rider_id: row.get(1)?,
            name: row.get(2)?,
            value: row.get(3)?,
            rides: row.get(4)?,
        })
    })
}

/// When the first ride that is stored began, and when the last.
fn span_of_rides(store: &Store) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let sql = include_str!("../sql/span_of_rides.sql");
    let (first, last) = one_row(store, sql, "cannot read when rides were ridden", |row| {
        Ok((maybe_instant(row, 0)?, maybe_instant(row, 1)?))
    })?;
    Ok((
        first.unwrap_or(DateTime::<Utc>::MIN_UTC),
        last.unwrap_or(DateTime::<Utc>::MAX_UTC),
    ))
}

/// Whether there is a rider for whom what history says of their rides does not hold, as one of them goes on.
fn has_reopened_riders(store: &Store) -> Result<bool> {
    let sql = "select count(*) > 0 from ops.reopened_rider";
    one_row(store, sql, "cannot read whose rides go on", |row| row.get(0))
}

/// A text without what stands between two marks.
fn without_marked(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| part.split_once(to)).map(|(_, rest)| rest);
    std::iter::once(first).chain(rest).collect()
}

/// A town, its riders and their rides.
#[derive(Debug, Clone, PartialEq)]
pub struct City {
    /// The town's name.
    pub name: String,
    /// Riders who live there.
    pub riders: i64,
    /// Their rides.
    pub rides: i64,
}

/// What towns are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CityOrder {
    /// Their riders' rides.
    Rides,
    /// Their riders.
    Riders,
}

/// One page of towns, behind the one whose figure and name are `after`.
pub fn cities(
    store: &Store,
    (order, is_ascending): (CityOrder, bool),
    after: Option<(f64, String)>,
    limit: u32,
) -> Result<Vec<City>> {
    let column = match order {
        CityOrder::Rides => "rides",
        CityOrder::Riders => "riders",
    };
    let (key, direction, beyond) = sorted(column, is_ascending);
    let mut conditions = Conditions::default();
    if let Some((figure, name)) = after {
        conditions
            .when(Some(figure), "after", &format!("{key} {beyond}= $after"))
            .when(
                Some(name),
                "after_id",
                &format!("({key} {beyond} $after or town > $after_id)"),
            );
    }
    let sql = conditions.put_into(include_str!("../sql/api_cities.sql"), "city");
    let sql = sql.replace("1 /* order */", &format!("{key} {direction}, town"));
    let bound = conditions.bound(&[("limit", &limit)]);
    rows(store, &sql, &bound, "cannot read the cities", |row| {
        Ok(City {
            name: row.get(0)?,
            riders: row.get(1)?,
            rides: row.get(2)?,
        })
    })
}
