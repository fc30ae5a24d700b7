//! Rides and their readings.

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    ApiContext, Tag,
    days::parse_day,
    default_limit,
    problem::Refusal,
    schema::{Reading, ReadingList, Ride, RideList},
};
use crate::store::query::{self, RideFilter};

/// The operations on rides.
pub(super) struct Rides {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Rides")]
impl Rides {
    /// List rides
    ///
    /// Newest first, those under way included. Follow `next` to see every ride exactly once.
    #[oai(path = "/rides", method = "get", operation_id = "list_rides")]
    async fn list_rides(
        &self,
        /// Only rides that ended in this business day: `2022-07-07`, or `07-07-2022`.
        day: Query<Option<String>>,
        /// Only this rider's.
        rider_id: Query<Option<i64>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let day = day.0.as_deref().map(|text| parse_day("day", text)).transpose()?;
        let filter = RideFilter {
            day,
            rider_id: rider_id.0,
            ..RideFilter::default()
        };
        page(&self.context, filter, limit.0, cursor.0).await.map(Json)
    }

    /// Get a ride
    #[oai(path = "/rides/:ride_id", method = "get", operation_id = "get_ride")]
    async fn get_ride(
        &self,
        /// The ride.
        ride_id: Path<Uuid>,
    ) -> Result<Json<Ride>, Refusal> {
        one(&self.context, ride_id.0).await.map(|ride| Json(ride.into()))
    }

    /// List a ride's readings
    ///
    /// One for each second that was received, in order.
    #[oai(
        path = "/rides/:ride_id/readings",
        method = "get",
        operation_id = "list_ride_readings"
    )]
    async fn list_readings(
        &self,
        /// The ride.
        ride_id: Path<Uuid>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ReadingList>, Refusal> {
        let after = cursor.0.as_deref().map_or(Ok(i32::MIN), parse_cursor)?;
        let ride = one(&self.context, ride_id.0).await?;
        let limit = limit.0;
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

async fn one(context: &ApiContext, ride_id: Uuid) -> Result<query::RideRow, Refusal> {
    let ride = context.read(move |store| query::ride_by_id(store, ride_id)).await?;
    ride.ok_or_else(|| Refusal::not_found(format!("there is no ride `{ride_id}`")))
}

/// One page of the rides that `filter` lets through. The cursor is the id of the page's last ride.
pub(super) async fn page(
    context: &ApiContext,
    mut filter: RideFilter,
    limit: u32,
    cursor: Option<String>,
) -> Result<RideList, Refusal> {
    filter.before = cursor.as_deref().map(parse_cursor).transpose()?;
    let mut rides = context
        .read(move |store| query::rides(store, &filter, limit + 1))
        .await?;
    let next = cut(&mut rides, limit).map(|last| last.ride_id.to_string());
    Ok(RideList {
        items: rides.into_iter().map(Ride::from).collect(),
        next,
    })
}

/// Cuts a page that was read one item too long, and gives its last item when there is more after it.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: u32) -> Option<&T> {
    let limit = limit as usize;
    let has_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| has_more)
}

/// A cursor as it was given out.
pub(super) fn parse_cursor<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse()
        .map_err(|_| Refusal::bad_request("`cursor` is not one that this list gave out as `next`"))
}
