//! The bikes being ridden: all of them, or one with its ride so far. [`super::wall`] pushes the same to browsers.

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
    naming::Naming,
    page::{cut, from_hex, hex},
    problem::Refusal,
    riding::{Riding, RidingList, RidingTrace},
};
use crate::{
    domain::live::LiveSecond,
    store::{
        Store,
        query::{self, LiveReading},
    },
};

/// The operations on bikes being ridden.
pub(super) struct Live {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Operations")]
impl Live {
    /// List the bikes being ridden
    ///
    /// Each with its newest reading, in the order of the bikes' names. The page `/live` shows the same, pushed as
    /// server-sent events from `/live/events`.
    #[oai(path = "/live", method = "get", operation_id = "list_riding")]
    async fn live(
        &self,
        caller: Data<&Caller>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RidingList>, Refusal> {
        let after = cursor.0.as_deref().map(from_hex).transpose()?;
        Ok(Json(riding(&self.context, &caller, limit.0, after.as_deref())))
    }

    /// Get one bike being ridden
    ///
    /// With its ride so far, for a chart, and the best of the rider's earlier rides.
    #[oai(path = "/live/:bike_serial", method = "get", operation_id = "get_riding")]
    async fn live_bike(
        &self,
        caller: Data<&Caller>,
        /// The bike.
        bike_serial: Path<String>,
    ) -> Result<Json<RidingTrace>, Refusal> {
        let context = &self.context;
        let known = context.live.bike(&bike_serial.0);
        let (bike, newest) = known.ok_or_else(|| Refusal::not_found("nobody is riding that bike"))?;
        let (ride_id, rider_id) = (bike.ride.ride_id, bike.ride.rider_id);
        let stored = move |store: &Store| {
            let bests = rider_id.map(|rider_id| query::bests(store, rider_id, Some(ride_id)));
            Ok((query::live_readings(store, ride_id)?, bests.transpose()?))
        };
        let (mut readings, bests) = context.read(stored).await?;
        // What was not written yet.
        let last = readings.last().map_or(0, |reading| reading.second);
        readings.extend(newest.iter().filter(|now| now.second > last).map(reading_of));
        let riding = Riding::at(&bike, context.clock.now(), &Naming::of(context, &caller));
        Ok(Json(RidingTrace::of(riding, bests, &readings)))
    }
}

fn reading_of(now: &LiveSecond) -> LiveReading {
    LiveReading {
        second: now.second,
        heart_rate_bpm: now.heart_rate_bpm,
        power_watts: now.power_watts,
        cadence_rpm: now.cadence_rpm,
        resistance: now.resistance,
    }
}

/// A page of the bikes being ridden, after the bike `after`.
pub(super) fn riding(context: &ApiContext, caller: &Caller, limit: u32, after: Option<&str>) -> RidingList {
    let (now, naming) = (context.clock.now(), Naming::of(context, caller));
    let bikes = context.live.snapshot();
    let later = bikes
        .iter()
        .filter(|bike| after.is_none_or(|after| bike.ride.bike_serial.as_str() > after));
    let page = later
        .take(limit as usize + 1)
        .map(|bike| Riding::at(bike, now, &naming));
    let mut items: Vec<_> = page.collect();
    let next = cut(&mut items, limit).map(|last| hex(&last.bike_serial));
    RidingList { items, next }
}
