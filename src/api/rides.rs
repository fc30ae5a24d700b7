//! Rides and their readings.

use poem::{Request, web::Data};
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    ApiContext, Tag,
    access::Caller,
    default_limit,
    erasures::erase,
    page::{Gender, RIDE_ORDERS, cut, parse_ages, parse_cursor, parse_day, parse_figure_and, parse_sort, parse_towns},
    problem::Refusal,
    schema::{Erasure, ExpandedRide, Reading, ReadingList, Ride, RideList, RideSummary},
    shape::Shaped,
};
use crate::{
    domain::erasure::Subject,
    store::{
        self, Store,
        query::{self, ReadingRow, RideFilter, RideOrder, RideRow, RiderFilter},
    },
};

/// More readings than any ride has.
const WHOLE_RIDE: u32 = 1_000_000;

/// The operations on rides.
pub(super) struct Rides {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Rides")]
impl Rides {
    /// List rides
    ///
    /// Newest first unless `sort` says otherwise, those under way included. Follow `next` to see every ride exactly once.
    #[oai(path = "/rides", method = "get", operation_id = "list_rides")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list_rides(
        &self,
        /// Only these rides: up to 100 ids, parted by commas.
        ride_id: Query<Option<String>>,
        /// Only rides that ended in this business day: `2022-07-07`, or `07-07-2022`.
        day: Query<Option<String>>,
        /// Only rides that ended in this business day or later.
        from: Query<Option<String>>,
        /// Only rides that ended in this business day or before.
        to: Query<Option<String>>,
        /// Only this rider's.
        rider_id: Query<Option<i64>>,
        /// Only of this bike.
        bike_serial: Query<Option<String>>,
        /// Only of riders who live in this town, in any case, or in one of several, parted by commas.
        city: Query<Option<String>>,
        /// Only of riders of this gender.
        gender: Query<Option<Gender>>,
        /// Only of riders who were so old at the start: `25-34`, `30`, `65-`, `-17`.
        age: Query<Option<String>>,
        /// Only as many seconds long, or longer.
        #[oai(validator(minimum(value = "0")))]
        duration_seconds_min: Query<Option<i32>>,
        /// Only as many seconds long, or shorter.
        #[oai(validator(minimum(value = "0")))]
        duration_seconds_max: Query<Option<i32>>,
        /// What to sort by; `-` before it is the largest first. What has no such figure comes last.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let days = Days::of(day.0.as_deref(), from.0.as_deref(), to.0.as_deref())?;
        let ride_ids = ride_id.0.iter().flat_map(|ids| ids.split(','));
        let filter = RideFilter {
            ride_ids: ride_ids.filter_map(|id| id.parse().ok()).collect(),
            rider_id: rider_id.0,
            bike_serial: bike_serial.0,
            duration_seconds_min: duration_seconds_min.0,
            duration_seconds_max: duration_seconds_max.0,
            riders: RiderFilter {
                towns: parse_towns(city.0.as_deref()),
                gender: gender.0.map(Into::into),
                ages: age.0.as_deref().map(parse_ages).transpose()?,
            },
            ..days.filter()
        };
        page(&self.context, filter, sort.0.as_deref(), limit.0, cursor.0)
            .await
            .map(Json)
    }

    /// Get a ride
    ///
    /// Under way or over. `/summary` has it in short, `/expanded` with every reading, `/readings` its readings page by page.
    #[oai(path = "/rides/:ride_id", method = "get", operation_id = "get_ride")]
    async fn get_ride(
        &self,
        /// The ride.
        ride_id: Path<Uuid>,
    ) -> Result<Json<Ride>, Refusal> {
        one(&self.context, ride_id.0).await.map(|ride| Json(ride.into()))
    }

    /// Erase a ride
    ///
    /// For good, and from everywhere: tables, lake, exported files, mails, rejected lines, what the site keeps of older editions,
    /// the bytes in the database's file. Its day is made again and nobody is mailed. Reading the log again does not bring it back.
    #[oai(path = "/rides/:ride_id", method = "delete", operation_id = "erase_ride")]
    async fn erase_ride(
        &self,
        caller: Data<&Caller>,
        /// The ride.
        ride_id: Path<Uuid>,
    ) -> Result<Json<Erasure>, Refusal> {
        erase(&self.context, Subject::Ride(ride_id.0), &caller).await
    }

    /// Get a ride's summary
    ///
    /// How long, how hard, how fast, at what heart rate, in a few figures.
    #[oai(path = "/rides/:ride_id/summary", method = "get", operation_id = "get_ride_summary")]
    async fn get_summary(
        &self,
        /// The ride.
        ride_id: Path<Uuid>,
    ) -> Result<Json<RideSummary>, Refusal> {
        one(&self.context, ride_id.0).await.map(|ride| Json(ride.into()))
    }

    /// Get a ride with every reading
    ///
    /// In one answer, however long the ride was.
    #[oai(
        path = "/rides/:ride_id/expanded",
        method = "get",
        operation_id = "get_expanded_ride"
    )]
    async fn get_expanded(
        &self,
        /// The ride.
        ride_id: Path<Uuid>,
    ) -> Result<Json<ExpandedRide>, Refusal> {
        let ride = one(&self.context, ride_id.0).await?;
        let expanded = self.context.read(move |store| expanded(store, ride)).await?;
        Ok(Json(expanded.into()))
    }

    /// List a ride's readings
    ///
    /// One for each second that was received, in order. As CSV or Parquet it is the whole ride unless `limit` says less.
    #[oai(
        path = "/rides/:ride_id/readings",
        method = "get",
        operation_id = "list_ride_readings"
    )]
    async fn list_readings(
        &self,
        request: &Request,
        /// The ride.
        ride_id: Path<Uuid>,
        /// Most items in the answer; 100 unless it is a file.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ReadingList>, Refusal> {
        let after = cursor.0.as_deref().map_or(Ok(i32::MIN), parse_cursor)?;
        let ride = one(&self.context, ride_id.0).await?;
        let is_file = request
            .extensions()
            .get::<Shaped>()
            .is_some_and(|shaped| shaped.is_file());
        let limit = limit.0.unwrap_or(if is_file { WHOLE_RIDE } else { default_limit() });
        let mut readings = self
            .context
            .read(move |store| query::readings(store, &ride, after, limit + 1))
            .await?;
        let next = cut(&mut readings, limit).map(|last| last.second.to_string());
        Ok(Json(ReadingList {
            items: readings.into_iter().map(Reading::from).collect(),
            next,
        }))
    }
}

/// A ride with every reading.
pub(super) fn expanded(store: &Store, ride: RideRow) -> store::Result<(RideRow, Vec<ReadingRow>)> {
    let readings = query::readings(store, &ride, i32::MIN, WHOLE_RIDE)?;
    Ok((ride, readings))
}

async fn one(context: &ApiContext, ride_id: Uuid) -> Result<query::RideRow, Refusal> {
    let ride = match query::known_ride(&context.store, ride_id) {
        Some(ride) => Some(ride),
        None => context.read(move |store| query::ride_by_id(store, ride_id)).await?,
    };
    ride.ok_or_else(|| Refusal::not_found(format!("there is no ride `{ride_id}`")))
}

/// The business days that a list is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Days {
    pub(super) first: Option<chrono::NaiveDate>,
    pub(super) last: Option<chrono::NaiveDate>,
}

impl Days {
    /// Of a single day, or from one to another.
    pub(super) fn of(day: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<Self, Refusal> {
        let parse = |name, text: Option<&str>| text.map(|text| parse_day(name, text)).transpose();
        let (day, from, to) = (parse("day", day)?, parse("from", from)?, parse("to", to)?);
        if day.is_some() && (from.is_some() || to.is_some()) {
            return Err(Refusal::unsuitable("give `day`, or `from` and `to`, and not both"));
        }
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Refusal::unsuitable("`from` is after `to`"));
        }
        Ok(Days {
            first: day.or(from),
            last: day.or(to),
        })
    }

    /// The rides of those days.
    pub(super) fn filter(self) -> RideFilter {
        RideFilter {
            first_day: self.first,
            last_day: self.last,
            ..RideFilter::default()
        }
    }
}

/// One page of the rides that `filter` lets through. The cursor is the id of the page's last ride, behind the figure that
/// rides are sorted by where it is not their start.
pub(super) async fn page(
    context: &ApiContext,
    mut filter: RideFilter,
    sort: Option<&str>,
    limit: u32,
    cursor: Option<String>,
) -> Result<RideList, Refusal> {
    (filter.order, filter.is_ascending) = parse_sort(sort, &RIDE_ORDERS, (RideOrder::StartedAt, false));
    let is_by_start = filter.order == RideOrder::StartedAt;
    filter.after = match cursor.as_deref() {
        None => None,
        Some(cursor) if is_by_start => Some((0.0, parse_cursor(cursor)?)),
        Some(cursor) => Some(parse_figure_and(cursor)?),
    };
    let mut rides = context
        .read(move |store| query::rides(store, &filter, limit + 1))
        .await?;
    let next = cut(&mut rides, limit).map(|(last, figure)| {
        if is_by_start {
            last.ride_id.to_string()
        } else {
            format!("{figure}_{}", last.ride_id)
        }
    });
    Ok(RideList {
        items: rides.into_iter().map(|(ride, _)| Ride::from(ride)).collect(),
        next,
    })
}
