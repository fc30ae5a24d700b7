//! Personal bests.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use crate::store::query;

/// A rider's best figure of one kind.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Best {
    /// What it is a best of, as rides name it: `energy_kilojoules`, `power_watts_max`, …
    pub measure: String,
    /// The figure, in the unit that the name ends in.
    pub value: f64,
    /// The ride in which it was reached first.
    pub ride_id: Uuid,
    /// When that ride began.
    pub started_at: DateTime<Utc>,
}

impl From<query::Best> for Best {
    fn from(best: query::Best) -> Self {
        Best {
            measure: best.measure,
            value: best.value,
            ride_id: best.ride_id,
            started_at: best.started_at,
        }
    }
}
