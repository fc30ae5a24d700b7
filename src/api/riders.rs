//! Riders: who they are and what their rides add up to.

use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag,
    access::Caller,
    default_limit,
    problem::Refusal,
    rides::{cut, page, parse_cursor},
    schema::{RideDuration, RideDurationList, RideList, Rider},
};
use crate::store::query::{self, RideFilter};

/// The operations on riders.
pub(super) struct Riders {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Riders")]
impl Riders {
    /// Get a rider
    ///
    /// Age, rides, mean heart rate and totals beside what the newest sign-in said of the person.
    #[oai(path = "/riders/:rider_id", method = "get", operation_id = "get_rider")]
    async fn get_rider(
        &self,
        caller: Data<&Caller>,
        /// The rider.
        rider_id: Path<i64>,
    ) -> Result<Json<Rider>, Refusal> {
        let rider = self.known(rider_id.0).await?;
        let rider = Rider::at(rider, self.context.clock.now(), self.context.store.pseudonyms());
        Ok(Json(rider.seen_by(caller.role)))
    }

    /// List a rider's rides
    ///
    /// Newest first.
    #[oai(path = "/riders/:rider_id/rides", method = "get", operation_id = "list_rider_rides")]
    async fn list_rides(
        &self,
        /// The rider.
        rider_id: Path<i64>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        self.known(rider_id.0).await?;
        let filter = RideFilter {
            rider_id: Some(rider_id.0),
            ..RideFilter::default()
        };
        page(&self.context, filter, limit.0, cursor.0).await.map(Json)
    }

    /// List how long a rider's rides were
    ///
    /// Longest first.
    #[oai(
        path = "/riders/:rider_id/durations",
        method = "get",
        operation_id = "list_rider_durations"
    )]
    async fn list_durations(
        &self,
        /// The rider.
        rider_id: Path<i64>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideDurationList>, Refusal> {
        let offset: u32 = cursor.0.as_deref().map_or(Ok(0), parse_cursor)?;
        self.known(rider_id.0).await?;
        let (rider_id, limit) = (rider_id.0, limit.0);
        let mut rides = self
            .context
            .read(move |store| query::ride_durations(store, rider_id, offset, limit + 1))
            .await?;
        let next = cut(&mut rides, limit).map(|_| (offset.saturating_add(limit)).to_string());
        let items = rides.into_iter().map(|(ride_id, duration_seconds)| RideDuration {
            ride_id,
            duration_seconds,
        });
        Ok(Json(RideDurationList {
            items: items.collect(),
            next,
        }))
    }
}

impl Riders {
    async fn known(&self, rider_id: i64) -> Result<query::RiderTotals, Refusal> {
        let rider = self.context.read(move |store| query::rider(store, rider_id)).await?;
        rider.ok_or_else(|| Refusal::not_found(format!("there is no rider `{rider_id}`")))
    }
}
