//! Riders: who they are and what their rides add up to.

use poem::web::Data;
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
    page::{Gender, RIDER_ORDERS, cut, parse_ages, parse_cursor, parse_figure_and, parse_sort, parse_towns},
    problem::Refusal,
    rides::{Days, expanded, page},
    schema::{
        Best, BestList, Erasure, ExpandedRide, ExpandedRideList, RideDuration, RideDurationList, RideList, Rider,
        RiderList,
    },
};
use crate::{
    domain::erasure::Subject,
    store::query::{self, RideFilter, RiderFilter, RiderOrder},
};

/// The operations on riders.
pub(super) struct Riders {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Riders")]
impl Riders {
    /// List riders
    ///
    /// In the order of their numbers unless `sort` says otherwise, each with age, rides, mean heart rate and totals.
    #[oai(path = "/riders", method = "get", operation_id = "list_riders")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list_riders(
        &self,
        caller: Data<&Caller>,
        /// Only those who live in this town, in any case, or in one of several, parted by commas.
        city: Query<Option<String>>,
        /// Only of this gender.
        gender: Query<Option<Gender>>,
        /// Only those who are so old today: `25-34`, `30`, `65-`, `-17`.
        age: Query<Option<String>>,
        /// What to sort by; `-` before it is the largest first. What has no such figure comes last.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RiderList>, Refusal> {
        let filter = RiderFilter {
            towns: parse_towns(city.0.as_deref()),
            gender: gender.0.map(Into::into),
            ages: age.0.as_deref().map(parse_ages).transpose()?,
        };
        let order = parse_sort(sort.0.as_deref(), &RIDER_ORDERS, (RiderOrder::RiderId, true));
        let after = cursor.0.as_deref().map(parse_figure_and).transpose()?;
        let (limit, now) = (limit.0, self.context.clock.now());
        let mut riders = self
            .context
            .read(move |store| query::riders(store, &filter, order, after, limit + 1, now))
            .await?;
        let next = cut(&mut riders, limit).map(|(last, figure)| format!("{figure}_{}", last.rider_id));
        let pseudonyms = self.context.store.pseudonyms();
        let items = riders
            .into_iter()
            .map(|(rider, _)| Rider::at(rider, now, pseudonyms).seen_by(caller.role));
        Ok(Json(RiderList {
            items: items.collect(),
            next,
        }))
    }

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

    /// Erase a rider
    ///
    /// Who they are, and every ride they have begun by now, for good and from everywhere, as a ride is erased. What they ride
    /// from now on is kept.
    #[oai(path = "/riders/:rider_id", method = "delete", operation_id = "erase_rider")]
    async fn erase_rider(
        &self,
        caller: Data<&Caller>,
        /// The rider.
        rider_id: Path<i64>,
    ) -> Result<Json<Erasure>, Refusal> {
        erase(&self.context, Subject::Rider(rider_id.0), &caller).await
    }

    /// List a rider's rides
    ///
    /// Newest first unless `sort` says otherwise.
    #[oai(path = "/riders/:rider_id/rides", method = "get", operation_id = "list_rider_rides")]
    async fn list_rides(
        &self,
        /// The rider.
        rider_id: Path<i64>,
        /// Only rides that ended in this business day or later.
        from: Query<Option<String>>,
        /// Only rides that ended in this business day or before.
        to: Query<Option<String>>,
        /// What to sort by; `-` before it is the largest first. What has no such figure comes last.
        sort: Query<Option<String>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before, of the same order.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RideList>, Refusal> {
        let days = Days::of(None, from.0.as_deref(), to.0.as_deref())?;
        self.known(rider_id.0).await?;
        let filter = RideFilter {
            rider_id: Some(rider_id.0),
            ..days.filter()
        };
        page(&self.context, filter, sort.0.as_deref(), limit.0, cursor.0)
            .await
            .map(Json)
    }

    /// List a rider's rides with every reading
    ///
    /// Newest first, at most 20 at once: each has a reading a second.
    #[oai(
        path = "/riders/:rider_id/rides/expanded",
        method = "get",
        operation_id = "list_expanded_rider_rides"
    )]
    async fn list_expanded(
        &self,
        /// The rider.
        rider_id: Path<i64>,
        /// Most items in the answer.
        #[oai(default = "few", validator(minimum(value = "1"), maximum(value = "20")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ExpandedRideList>, Refusal> {
        self.known(rider_id.0).await?;
        let before: Option<Uuid> = cursor.0.as_deref().map(parse_cursor).transpose()?;
        let filter = RideFilter {
            rider_id: Some(rider_id.0),
            after: before.map(|ride_id| (0.0, ride_id)),
            ..RideFilter::default()
        };
        let limit = limit.0;
        let (rides, next) = self
            .context
            .read(move |store| {
                let mut rides = query::rides(store, &filter, limit + 1)?;
                let next = cut(&mut rides, limit).map(|(last, _)| last.ride_id.to_string());
                let rides: Result<Vec<_>, _> = rides.into_iter().map(|(ride, _)| expanded(store, ride)).collect();
                Ok((rides?, next))
            })
            .await?;
        Ok(Json(ExpandedRideList {
            items: rides.into_iter().map(ExpandedRide::from).collect(),
            next,
        }))
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
        let after = match cursor
            .0
            .as_deref()
            .map(|cursor| cursor.split_once('_').unwrap_or_default())
        {
            None => None,
            Some((seconds, ride_id)) => Some((parse_cursor(seconds)?, parse_cursor(ride_id)?)),
        };
        self.known(rider_id.0).await?;
        let (rider_id, limit) = (rider_id.0, limit.0);
        let mut rides = self
            .context
            .read(move |store| query::ride_durations(store, rider_id, after, limit + 1))
            .await?;
        let next = cut(&mut rides, limit).map(|(ride_id, seconds)| format!("{seconds}_{ride_id}"));
        let items = rides.into_iter().map(|(ride_id, duration_seconds)| RideDuration {
            ride_id,
            duration_seconds,
        });
        Ok(Json(RideDurationList {
            items: items.collect(),
            next,
        }))
    }

    /// List a rider's personal bests
    ///
    /// The greatest figure of each kind over the rides that have ended, with the ride in which it was reached first.
    #[oai(path = "/riders/:rider_id/bests", method = "get", operation_id = "list_rider_bests")]
    async fn list_bests(
        &self,
        /// The rider.
        rider_id: Path<i64>,
    ) -> Result<Json<BestList>, Refusal> {
        self.known(rider_id.0).await?;
        let rider_id = rider_id.0;
        let bests = self
            .context
            .read(move |store| query::bests(store, rider_id, None))
            .await?;
        Ok(Json(BestList {
            items: bests.into_iter().map(Best::from).collect(),
            next: None,
        }))
    }
}

/// Rides with every reading, when the caller does not say how many.
fn few() -> u32 {
    5
}

impl Riders {
    async fn known(&self, rider_id: i64) -> Result<query::RiderTotals, Refusal> {
        let rider = self.context.read(move |store| query::rider(store, rider_id)).await?;
        rider.ok_or_else(|| Refusal::not_found(format!("there is no rider `{rider_id}`")))
    }
}
