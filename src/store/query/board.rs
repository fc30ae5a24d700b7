//! What is counted over riders: leaderboards and towns.

use chrono::NaiveDate;

use super::{
    condition::{Conditions, RiderFilter},
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

/// The best `limit` riders by `measure` (a name in `sql/api_leaderboard.sql`) over rides that have ended.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn leaderboard(store: &Store, measure: &str, filter: &BoardFilter, limit: u32) -> Result<Vec<Place>> {
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
        .of_riders(&filter.riders, "ride.started_at");
    let sql = conditions.put_into(include_str!("../sql/api_leaderboard.sql"), "ride");
    let bound = conditions.bound(&[
        ("measure", &measure),
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
