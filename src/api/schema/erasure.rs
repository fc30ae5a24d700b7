//! What was erased.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use crate::domain::erasure::{self, Subject};

/// A ride, or a rider with all their rides, that was erased for good.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Erasure {
    /// Its id.
    pub erasure_id: Uuid,
    /// The ride; null where it was a rider.
    pub ride_id: Option<Uuid>,
    /// The rider; null where it was one ride.
    pub rider_id: Option<i64>,
    /// When: of a rider, what they began before that is erased, and does not come back.
    pub erased_at: DateTime<Utc>,
    /// Who asked for it: a key's id, `command line`, or `loopback` where there are no keys.
    pub asked_by: String,
    /// How much that was.
    pub erased: Erased,
    /// Sealed days that it was in. All that is made of them is made again, and nobody is mailed.
    pub days: Vec<NaiveDate>,
    /// When nothing of it was left anywhere: those days made again, older editions of the site and the bytes in the database's
    /// file gone. Null until then.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How much was erased, by where it was.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Erased {
    /// Rides.
    pub rides: i64,
    /// Their seconds.
    pub readings: i64,
    /// Heart-rate alerts.
    pub alerts: i64,
    /// Descriptions of the rider: one each time a sign-in said something new.
    pub descriptions: i64,
    /// Limits of the rider's own.
    pub limits: i64,
    /// Mails and messages about the rides, sent or not.
    pub messages: i64,
    /// Rejected lines of which the text is gone.
    pub rejected_lines: i64,
    /// Mails that had been written as files.
    pub mail_files: i64,
    /// Files of single rides that had been exported.
    pub ride_files: i64,
}

impl From<erasure::Erasure> for Erasure {
    fn from(erasure: erasure::Erasure) -> Self {
        let (ride_id, rider_id) = match erasure.subject {
            Subject::Ride(ride_id) => (Some(ride_id), None),
            Subject::Rider(rider_id) => (None, Some(rider_id)),
        };
        Erasure {
            erasure_id: erasure.erasure_id,
            ride_id,
            rider_id,
            erased_at: erasure.erased_at,
            asked_by: erasure.asked_by,
            erased: erasure.erased.into(),
            days: erasure.days.into_iter().collect(),
            finished_at: erasure.finished_at,
        }
    }
}

impl From<erasure::Erased> for Erased {
    fn from(erased: erasure::Erased) -> Self {
        let erasure::Erased {
            rides,
            readings,
            alerts,
            descriptions,
            limits,
            messages,
            rejected_lines,
            mail_files,
            ride_files,
        } = erased;
        Erased {
            rides,
            readings,
            alerts,
            descriptions,
            limits,
            messages,
            rejected_lines,
            mail_files,
            ride_files,
        }
    }
}
