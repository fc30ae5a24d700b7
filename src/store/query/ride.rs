//! Rides and their readings, page by page.

use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound as _, TimeDelta, Utc};
use duckdb::named_params;
use uuid::Uuid;

use super::{
    After, ReadingRow, RideRow,
    condition::{Conditions, RiderFilter, STARTED_ON},
    row, rows, uuid,
};
use crate::{
    domain::ride::began,
    store::{Result, Store},
};

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
    let is_newest_first = filter.order == RideOrder::StartedAt && !filter.is_ascending;
    if is_newest_first && filter.ride_ids.is_empty() {
        newest_rides(store, filter, limit)
    } else {
        rides_within(store, filter, (None, None), limit)
    }
}

/// How far back a page of the newest rides is looked for: hours. What they are sorted by is the order in which they are
/// stored, but the database would read all of them.
const LOOK_BACK_HOURS: [i64; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];
/// How far back those of some riders or bikes are looked for first.
const LOOK_BACK_HOURS_FOR_SOME: i64 = 16;

/// The newest rides: those of the last hour that is wanted, and where they are too few, of hours before.
fn newest_rides(store: &Store, filter: &RideFilter, limit: u32) -> Result<Vec<(RideRow, f64)>> {
    let next_day = filter.last_day.and_then(|day| day.succ_opt());
    let day_ends_at = next_day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    // Of the rides of one millisecond, ids say which come first.
    let page_ends_at = filter.after.and_then(|(_, id)| began(id)).map(|(_, next)| next);
    let ends = [day_ends_at, page_ends_at];
    let until = ends.into_iter().flatten().fold(store.clock().now(), DateTime::min);
    let first_day = filter.first_day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let is_of_some = filter.rider_id.is_some() || filter.bike_serial.is_some() || !filter.riders.is_everybody();
    let least_hours = if is_of_some { LOOK_BACK_HOURS_FOR_SOME } else { 0 };
    let starts = LOOK_BACK_HOURS
        .iter()
        .skip_while(|&&hours| hours < least_hours)
        .filter_map(|&hours| until.trunc_subsecs(3).checked_sub_signed(TimeDelta::hours(hours)))
        // Rides of the first day may have begun before it.
        .take_while(|&start| first_day.is_none_or(|first| start > first))
        .map(Some);

    let (mut found, mut before) = (Vec::new(), page_ends_at);
    for from in starts.chain([None]) {
        let missing = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        found.extend(rides_within(store, filter, (from, before), missing)?);
        if found.len() >= limit as usize {
            break;
        }
        before = from;
    }
    Ok(found)
}

/// One page of the rides that began at an instant or later, and before another.
fn rides_within(
    store: &Store,
    filter: &RideFilter,
    (from, before): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    limit: u32,
) -> Result<Vec<(RideRow, f64)>> {
    let mut conditions = Conditions::default();
    let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    conditions
        .when(
            micros(from),
            "from",
            "ride.started_at >= make_timestamptz($from::bigint)",
        )
        .when(
            micros(before),
            "before",
            "ride.started_at < make_timestamptz($before::bigint)",
        );
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
        .of_riders(&filter.riders, STARTED_ON);
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

/// One ride. Those that were asked for lately are not read again unless they have changed.
pub fn ride_by_id(store: &Store, ride_id: Uuid) -> Result<Option<RideRow>> {
    if let Some(ride) = known_ride(store, ride_id) {
        return Ok(Some(ride));
    }
    let Some((began, before)) = began(ride_id) else {
        return Ok(None);
    };
    let moment = store.inner.known_rides.moment();
    let one = "from ops.ride_by_id($ride_id::uuid, make_timestamptz($began::bigint), make_timestamptz($before::bigint)) as ride ";
    let sql = include_str!("../sql/api_rides.sql").replace("from ride ", one);
    let params = named_params! {
        "ride_id": ride_id.to_string(),
        "began": began.timestamp_micros(),
        "before": before.timestamp_micros(),
        "limit": 1,
    };
    let ride = rows(store, &sql, params, "cannot read a ride", row::ride)?.pop();
    if let Some(ride) = &ride {
        store.inner.known_rides.remember(ride, moment);
    }
    Ok(ride)
}

/// One ride, if it was asked for lately and has not changed: without asking the database.
#[must_use]
pub fn known_ride(store: &Store, ride_id: Uuid) -> Option<RideRow> {
    store.inner.known_rides.get(ride_id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ride::EndReason;
    use crate::store::{
        fixture::{Told, open, ride},
        query::fixture,
    };

    /// The ids of a list, page by page.
    fn walked(store: &Store, filter: &RideFilter) -> Vec<Uuid> {
        let (mut filter, mut ids) = (filter.clone(), Vec::new());
        loop {
            let page = rides(store, &filter, 7).unwrap();
            let Some((last, figure)) = page.last() else { return ids };
            filter.after = Some((*figure, last.ride_id));
            ids.extend(page.iter().map(|(ride, _)| ride.ride_id));
        }
    }

    #[test]
    fn the_newest_rides_are_found_however_long_ago_they_were() {
        let (_folder, store) = fixture::store();
        let others = "insert into daily.ride by name
            select
                (lpad(to_hex(epoch_ms(moment::timestamptz)), 12, '0') || '70008000' || lpad(place::varchar, 12, '0'))::uuid as ride_id,
                moment::timestamptz as started_at, * exclude (ride_id, started_at, place, moment)
            from daily.ride, (values
                (1, '1970-01-01 00:00:00Z'), (2, '2020-02-29 12:00:00Z'), (3, '2026-08-01 10:00:00.123456Z'),
                (4, '2026-08-01 10:00:00.123999Z'), (5, '2026-11-22 15:30:00Z'), (6, '2031-01-01 00:00:00Z')) as other (place, moment)
            where ride_id = '01a20056-8580-7000-8000-000000000004'";
        store.connection().unwrap().execute_batch(others).unwrap();
        let day = |text: &str| text.parse().ok();
        for filter in [
            RideFilter::default(),
            RideFilter {
                first_day: day("2026-11-21"),
                ..RideFilter::default()
            },
            RideFilter {
                first_day: day("2026-11-20"),
                last_day: day("2026-11-21"),
                rider_id: Some(3),
                ..RideFilter::default()
            },
        ] {
            let mut oldest_first = walked(
                &store,
                &RideFilter {
                    is_ascending: true,
                    ..filter.clone()
                },
            );
            oldest_first.reverse();
            assert!(oldest_first.len() > 7, "{filter:?}");
            assert_eq!(walked(&store, &filter), oldest_first, "{filter:?}");
        }
    }

    #[test]
    fn a_ride_that_is_asked_for_again_is_told_as_it_stands_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let mut goes_on = Told::new("2026-01-05T23:59:00Z");
        let ride_id = goes_on.id();
        assert_eq!(ride_by_id(&store, ride_id).unwrap(), None);
        let seconds = |store: &Store| ride_by_id(store, ride_id).unwrap().map(|ride| ride.duration_seconds);
        goes_on.flush(&store, 10, TimeDelta::zero(), Some(EndReason::Idle));
        assert_eq!([seconds(&store), seconds(&store)], [Some(10); 2]);
        ride(&store, "2026-01-05T10:00:00Z", 30);
        assert_eq!(
            known_ride(&store, ride_id).map(|ride| ride.duration_seconds),
            Some(10),
            "another's flush"
        );
        let monday = "2026-01-05".parse().unwrap();
        store.seal(monday).unwrap();
        store.prune(monday).unwrap();
        assert_eq!([seconds(&store), seconds(&store)], [Some(10); 2]);
        goes_on.flush(&store, 5, TimeDelta::minutes(2), None);
        assert_eq!([seconds(&store), seconds(&store)], [Some(15); 2]);
        goes_on.flush(&store, 1, TimeDelta::zero(), Some(EndReason::Idle));
        assert_eq!(seconds(&store), Some(16));
    }
}
