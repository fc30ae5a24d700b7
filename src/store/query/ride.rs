//! Rides and their readings, page by page.

use chrono::NaiveDate;
use duckdb::named_params;
use uuid::Uuid;

use super::{
    After, ReadingRow, RideRow,
    condition::{Conditions, RiderFilter},
    row, rows, uuid,
};
use crate::store::{Result, Store};

/// Which rides. The default is all of them, newest first.
#[derive(Debug, Clone, Default)]
pub struct RideFilter {
    /// Only these; all where none is named.
    pub ride_ids: Vec<Uuid>,
    /// Only rides that ended in this business day or later.
    pub first_day: Option<NaiveDate>,
    /// Only rides that ended in this business day or before.
    pub last_day: Option<NaiveDate>,
    /// Only this rider's.
    pub rider_id: Option<i64>,
    /// Only of this bike.
    pub bike_serial: Option<String>,
    /// Only as long as this or longer.
    pub duration_seconds_min: Option<i32>,
    /// Only as long as this or shorter.
    pub duration_seconds_max: Option<i32>,
    /// Only of such riders.
    pub riders: RiderFilter,
    /// By what they are sorted.
    pub order: RideOrder,
    /// The smallest first.
    pub is_ascending: bool,
    /// The last of the page before.
    pub after: After<Uuid>,
}

/// What rides are sorted by. Those that have no such figure come last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RideOrder {
    /// Their start.
    #[default]
    StartedAt,
    /// Seconds.
    Duration,
    /// Kilojoules.
    Energy,
    /// Watts.
    PowerMean,
    /// Watts.
    PowerMax,
    /// Beats a minute.
    HeartRateMean,
    /// Beats a minute.
    HeartRateMax,
    /// Revolutions a minute.
    CadenceMean,
}

impl RideOrder {
    fn column(self) -> &'static str {
        match self {
            RideOrder::StartedAt => "epoch_us(ride.started_at)",
            RideOrder::Duration => "ride.duration_seconds",
            RideOrder::Energy => "ride.energy_kilojoules",
            RideOrder::PowerMean => "ride.power_watts_mean",
            RideOrder::PowerMax => "ride.power_watts_max",
            RideOrder::HeartRateMean => "ride.heart_rate_bpm_mean",
            RideOrder::HeartRateMax => "ride.heart_rate_bpm_max",
            RideOrder::CadenceMean => "ride.cadence_rpm_mean",
        }
    }
}

/// One page of rides, each with the figure it is sorted by.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn rides(store: &Store, filter: &RideFilter, limit: u32) -> Result<Vec<(RideRow, f64)>> {
    let mut conditions = Conditions::default();
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    let (one, several) = match filter.ride_ids.as_slice() {
        [] => (None, None),
        [one] => (Some(one.to_string()), None),
        several => (
            None,
            Some(several.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")),
        ),
    };
    conditions
        .when(one, "ride_id", "ride.ride_id = $ride_id::uuid")
        .when(
            several,
            "ride_ids",
            "ride.ride_id in (select unnest(string_split($ride_ids, ','))::uuid)",
        )
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
        .when(filter.rider_id, "rider_id", "ride.rider_id = $rider_id::bigint")
        .when(
            filter.bike_serial.clone(),
            "bike_serial",
            "ride.bike_serial = $bike_serial",
        )
        .when(
            filter.duration_seconds_min,
            "shortest",
            "ride.duration_seconds >= $shortest",
        )
        .when(
            filter.duration_seconds_max,
            "longest",
            "ride.duration_seconds <= $longest",
        )
        .of_riders(&filter.riders, "ride.started_at");
    let (key, direction, beyond) = sorted(filter.order.column(), filter.is_ascending);
    // Ride ids begin with the instant the ride began: they alone are that order.
    let key_is_id = filter.order == RideOrder::StartedAt;
    if key_is_id {
        let id = filter.after.map(|(_, id)| id.to_string());
        conditions.when(id, "after_id", &format!("ride.ride_id {beyond} $after_id::uuid"));
    } else if let Some((figure, id)) = filter.after {
        conditions
            .when(Some(figure), "after", &format!("{key} {beyond}= $after"))
            .when(
                Some(id.to_string()),
                "after_id",
                &format!("({key}, ride.ride_id) {beyond} ($after, $after_id::uuid)"),
            );
    }
    let order = if key_is_id {
        format!("ride.ride_id {direction}")
    } else {
        format!("{key} {direction}, ride.ride_id {direction}")
    };
    let sql = conditions.put_into(include_str!("../sql/api_rides.sql"), "ride");
    let sql = sql.replace("0 /* key */", &key).replace("1 /* order */", &order);
    rows(
        store,
        &sql,
        &conditions.bound(&[("limit", &limit)]),
        "cannot read rides",
        |found| Ok((row::ride(found)?, found.get(26)?)),
    )
}

/// A figure as rows are sorted by it, the direction, and which side of a figure is behind it.
pub(super) fn sorted(column: &str, is_ascending: bool) -> (String, &'static str, &'static str) {
    if is_ascending {
        (format!("coalesce({column}::double, 'infinity'::double)"), "asc", ">")
    } else {
        (format!("coalesce({column}::double, '-infinity'::double)"), "desc", "<")
    }
}

/// One ride.
pub fn ride_by_id(store: &Store, ride_id: Uuid) -> Result<Option<RideRow>> {
    let filter = RideFilter {
        ride_ids: vec![ride_id],
        ..RideFilter::default()
    };
    Ok(rides(store, &filter, 1)?.pop().map(|(ride, _)| ride))
}

/// One page of a ride's readings: those after second `after`, in order.
pub fn readings(store: &Store, ride: &RideRow, after: i32, limit: u32) -> Result<Vec<ReadingRow>> {
    rows(
        store,
        include_str!("../sql/api_readings.sql"),
        named_params! {
            "ride_id": ride.ride_id.to_string(),
            "day": ride.business_day.map(|day| day.to_string()),
            "after": after,
            "limit": limit,
        },
        "cannot read the readings of a ride",
        row::reading,
    )
}

/// The rides of a rider and their durations in seconds, longest first: one page, behind the ride `after`.
pub fn ride_durations(
    store: &Store,
    rider_id: i64,
    after: Option<(i32, Uuid)>,
    limit: u32,
) -> Result<Vec<(Uuid, i32)>> {
    let params = named_params! {
        "rider_id": rider_id,
        "after": after.map(|(seconds, _)| seconds),
        "after_id": after.map(|(_, ride_id)| ride_id.to_string()),
        "limit": limit,
    };
    rows(
        store,
        include_str!("../sql/api_rider_durations.sql"),
        params,
        "cannot read the durations of a rider's rides",
        |row| Ok((uuid(row, 0)?, row.get(1)?)),
    )
}
