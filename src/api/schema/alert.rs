//! Heart-rate alerts.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use crate::store::query;

/// A heart rate that stayed outside of a rider's limits.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Alert {
    /// The ride.
    pub ride_id: Uuid,
    /// The day the ride ended in, in the company's zone; null while it is being ridden.
    pub business_day: Option<NaiveDate>,
    /// The rider.
    pub rider_id: i64,
    /// The instant of the reading that raised it, on the log's clock.
    pub raised_at: DateTime<Utc>,
    /// That reading's second.
    pub second: i32,
    /// `high`: above the upper limit; `low`: below the lower one.
    pub direction: String,
    /// 1 for the first of its ride and direction, 2 when it worsened, and so on.
    pub level: i32,
    /// What was measured.
    pub heart_rate_bpm: i32,
    /// The limit.
    pub limit_bpm: i32,
    /// Where the limit comes from: a formula's name, `age and gender`, or `rider` where it was set for the rider.
    pub limit_source: String,
    /// Seconds with contact outside the limit until then.
    pub sustained_seconds: i32,
    /// Where the mail to the rider stands: `waiting`, `sending`, `sent`, `dead`, `unknown` or `discarded`; null where
    /// nobody was mailed, as the bike knows no address or the rider wants no mails.
    pub mail_state: Option<String>,
}

impl From<query::AlertRow> for Alert {
    fn from(alert: query::AlertRow) -> Self {
        Alert {
            ride_id: alert.ride_id,
            business_day: alert.business_day,
            rider_id: alert.rider_id,
            raised_at: alert.raised_at,
            second: alert.second,
            direction: alert.direction,
            level: alert.level,
            heart_rate_bpm: alert.heart_rate_bpm,
            limit_bpm: alert.limit_bpm,
            limit_source: alert.limit_source,
            sustained_seconds: alert.sustained_seconds,
            mail_state: alert.mail_state,
        }
    }
}
