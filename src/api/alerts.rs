//! Heart-rate alerts, and the limits they go by.

use chrono::SecondsFormat;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    ApiContext, Tag, default_limit,
    page::{cut, parse_cursor, parse_day},
    problem::Refusal,
    schema::{Alert, AlertList, RiderLimits, RiderLimitsUpdate},
};
use crate::{
    domain::{
        heart_rate::OwnLimits,
        rider::{Gender, age_at},
    },
    store::query::{self, AlertFilter, AlertRow},
};

/// The operations on alerts and limits.
pub(super) struct Alerts {
    /// What they need.
    pub(super) context: ApiContext,
}

/// Nothing more is to be said.
#[derive(ApiResponse)]
pub(super) enum Cleared {
    /// The rider has no limits of their own now.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Alerts")]
impl Alerts {
    /// List heart-rate alerts
    ///
    /// Newest first, those of rides under way included.
    #[oai(path = "/alerts", method = "get", operation_id = "list_alerts")]
    async fn list(
        &self,
        /// Only of rides that ended in this business day: `2022-07-07`, or `07-07-2022`.
        day: Query<Option<String>>,
        /// Only this rider's.
        rider_id: Query<Option<i64>>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<AlertList>, Refusal> {
        let before = match cursor.0.as_deref() {
            None => None,
            Some(text) => {
                let (at, ride) = text.split_once('_').unwrap_or((text, ""));
                Some((parse_cursor(at)?, parse_cursor(ride)?))
            }
        };
        let filter = AlertFilter {
            day: day.0.as_deref().map(|text| parse_day("day", text)).transpose()?,
            rider_id: rider_id.0,
            before,
        };
        let limit = limit.0;
        let mut alerts = self
            .context
            .read(move |store| query::alerts(store, &filter, limit + 1))
            .await?;
        let place = |alert: &AlertRow| {
            let at = alert.raised_at.to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{at}_{}", alert.ride_id)
        };
        let next = cut(&mut alerts, limit).map(place);
        Ok(Json(AlertList {
            items: alerts.into_iter().map(Alert::from).collect(),
            next,
        }))
    }

    /// Get a rider's heart-rate limits
    ///
    /// Those that hold today, where each comes from, and what was set for the rider.
    #[oai(path = "/riders/:rider_id/limits", method = "get", operation_id = "get_rider_limits")]
    async fn get_limits(
        &self,
        /// The rider.
        rider_id: Path<i64>,
    ) -> Result<Json<RiderLimits>, Refusal> {
        let (rider_id, own) = (rider_id.0, self.own(rider_id.0));
        let (limits, is_known) = self.limits(rider_id, own.unwrap_or_default()).await?;
        if own.is_none() && !is_known {
            return Err(Refusal::not_found(format!("there is no rider `{rider_id}`")));
        }
        Ok(Json(limits))
    }

    /// Set a rider's own heart-rate limits
    ///
    /// In place of what was set before. They win over those by age, also where the age is not known, and hold at once,
    /// for a ride under way too. They may be set before the first ride.
    #[oai(path = "/riders/:rider_id/limits", method = "put", operation_id = "set_rider_limits")]
    async fn set_limits(
        &self,
        /// The rider.
        rider_id: Path<i64>,
        update: Json<RiderLimitsUpdate>,
    ) -> Result<Json<RiderLimits>, Refusal> {
        let own = OwnLimits {
            lower_bpm: update.0.lower_bpm,
            upper_bpm: update.0.upper_bpm,
            is_mailed: update.0.is_mailed,
        };
        own.check().map_err(Refusal::unsuitable)?;
        let rider_id = rider_id.0;
        self.context
            .read(move |store| store.set_rider_limits(rider_id, own))
            .await?;
        let (limits, _) = self.limits(rider_id, own).await?;
        Ok(Json(limits))
    }

    /// Clear a rider's own heart-rate limits
    ///
    /// Those by age hold again. Where nothing was set nothing changes.
    #[oai(
        path = "/riders/:rider_id/limits",
        method = "delete",
        operation_id = "clear_rider_limits"
    )]
    async fn clear_limits(
        &self,
        /// The rider.
        rider_id: Path<i64>,
    ) -> Result<Cleared, Refusal> {
        let rider_id = rider_id.0;
        self.context
            .read(move |store| store.clear_rider_limits(rider_id))
            .await?;
        Ok(Cleared::Done)
    }
}

impl Alerts {
    fn own(&self, rider_id: i64) -> Option<OwnLimits> {
        self.context.store.rider_limits().get(&rider_id).copied()
    }

    /// The limits that hold today, and whether a bike ever told of the rider.
    async fn limits(&self, rider_id: i64, own: OwnLimits) -> Result<(RiderLimits, bool), Refusal> {
        let rider = self.context.read(move |store| query::rider(store, rider_id)).await?;
        let now = self.context.clock.now();
        let age = rider
            .as_ref()
            .and_then(|rider| rider.date_of_birth)
            .and_then(|born| age_at(born, now));
        let gender = rider.as_ref().map_or(Gender::Unknown, |rider| rider.gender);
        let limits = self.context.alert_rule.limits(age, gender, own);
        Ok((RiderLimits::of(rider_id, own, limits), rider.is_some()))
    }
}
