//! Riders and what their rides add up to.

use chrono::{DateTime, Utc};
use duckdb::{Row, named_params};

use super::{
    After, RiderTotals,
    condition::{Conditions, RiderFilter},
    maybe_instant, parsed,
    ride::sorted,
    rows,
};
use crate::{
    domain::rider::Gender,
    store::{Result, Store},
};

/// What riders are sorted by. Those that have no such figure come last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RiderOrder {
    /// The company's number for the person.
    #[default]
    RiderId,
    /// How many rides.
    Rides,
    /// Seconds over all rides.
    Duration,
    /// Kilojoules over all rides.
    Energy,
    /// The start of the newest ride.
    LastRideAt,
}

impl RiderOrder {
    fn column(self) -> &'static str {
        match self {
            RiderOrder::RiderId => "rider.rider_id",
            RiderOrder::Rides => "coalesce(totals.rides, 0)",
            RiderOrder::Duration => "coalesce(totals.duration_seconds, 0)",
            RiderOrder::Energy => "coalesce(totals.energy_kilojoules, 0)",
            RiderOrder::LastRideAt => "epoch_us(totals.last_ride_at)",
        }
    }
}

/// One rider.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn rider(store: &Store, rider_id: i64) -> Result<Option<RiderTotals>> {
    let params = named_params! { "rider_id": rider_id };
    let sql = include_str!("../sql/api_rider.sql");
    Ok(rows(store, sql, params, "cannot read a rider", totals)?.pop())
}

/// One page of riders, each with the figure they are sorted by. Ages are those at `now`.
pub fn riders(
    store: &Store,
    filter: &RiderFilter,
    (order, is_ascending): (RiderOrder, bool),
    after: After<i64>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<(RiderTotals, f64)>> {
    let (key, direction, beyond) = sorted(order.column(), is_ascending);
    let mut conditions = Conditions::default();
    let at = format!("timestamptz '{}'", now.to_rfc3339());
    conditions.of_riders(filter, &at);
    if let Some((figure, rider_id)) = after {
        let behind = format!("({key}, rider.rider_id) {beyond} ($after, $after_id)");
        conditions
            .when(Some(figure), "after", &format!("{key} {beyond}= $after"))
            .when(Some(rider_id), "after_id", &behind);
    }
    let sql = conditions.put_into(include_str!("../sql/api_riders.sql"), "rider");
    let order = format!("{key} {direction}, rider.rider_id {direction}");
    let sql = sql.replace("0 /* key */", &key).replace("1 /* order */", &order);
    rows(
        store,
        &sql,
        &conditions.bound(&[("limit", &limit)]),
        "cannot read riders",
        |row| Ok((totals(row)?, row.get(24)?)),
    )
}

fn totals(row: &Row<'_>) -> duckdb::Result<RiderTotals> {
    Ok(RiderTotals {
        rider_id: row.get(0)?,
        name: row.get(1)?,
        forename: row.get(2)?,
        surname: row.get(3)?,
        gender: Gender::parse(row.get::<_, Option<String>>(4)?.as_deref()),
        date_of_birth: parsed(row, 5)?,
        email_address: row.get(6)?,
        address: row.get(7)?,
        town: row.get(8)?,
        postcode_area: row.get(9)?,
        height_cm: row.get(10)?,
        weight_kg: row.get(11)?,
        account_created_on: parsed(row, 12)?,
        original_source: row.get(13)?,
        rides: row.get(14)?,
        duration_seconds: row.get(15)?,
        energy_kilojoules: row.get(16)?,
        heart_rate_bpm_mean: row.get(17)?,
        heart_rate_bpm_max: row.get(18)?,
        power_watts_mean: row.get(19)?,
        power_watts_max: row.get(20)?,
        longest_ride_seconds: row.get(21)?,
        first_ride_at: maybe_instant(row, 22)?,
        last_ride_at: maybe_instant(row, 23)?,
    })
}
