//! What was erased for good: a ride, or a rider with all that they rode. It does not come back, whatever is read again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, NaiveDate, Utc};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ride::Ride;

/// What is added to the reason why a line was rejected that has no text any more.
pub const WITHOUT_TEXT: &str = "; its text was erased with the ride or the rider that it tells of";

/// What is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// One ride.
    Ride(Uuid),
    /// A rider, and every ride that they have begun by now.
    Rider(i64),
}

/// What is done where there is nothing of what is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfAbsent {
    /// Nothing: it was a mistake.
    Refuse,
    /// What is told of it later is not kept either: another store of the same group may have it, or a log that is still to be
    /// read.
    Bury,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Ride(ride_id) => write!(f, "ride {ride_id}"),
            Subject::Rider(rider_id) => write!(f, "rider {rider_id}"),
        }
    }
}

/// What is not to be kept again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tombstones {
    /// Rides, those of erased riders among them as far as they were told of.
    pub rides: HashSet<Uuid>,
    /// Riders: what they began before the instant.
    pub riders: HashMap<i64, DateTime<Utc>>,
}

impl Tombstones {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rides.is_empty() && self.riders.is_empty()
    }

    /// Whether a ride is erased.
    #[must_use]
    pub fn cover(&self, ride_id: Uuid, rider_id: Option<i64>, started_at: DateTime<Utc>) -> bool {
        self.rides.contains(&ride_id) || rider_id.is_some_and(|rider_id| self.cover_header(rider_id, started_at))
    }

    /// Whether the header of a ride begun at that instant describes a rider who is erased.
    #[must_use]
    pub fn cover_header(&self, rider_id: i64, started_at: DateTime<Utc>) -> bool {
        self.riders.get(&rider_id).is_some_and(|&until| started_at < until)
    }

    /// Whether a line, written at that instant as far as that is known, names a rider who was erased later, by number: after
    /// `user_id` and what JSON, escaped or not, puts between a name and a number. `erase_rejected_of_rider.sql` has the same
    /// rule.
    #[must_use]
    pub fn are_named_in(&self, line: &[u8], written_at: Option<DateTime<Utc>>) -> bool {
        const NAME: &[u8] = b"user_id";
        const BETWEEN: &[u8] = b"\\\"': =";
        let is_erased = |at: usize| {
            let rest = &line[at + NAME.len()..];
            let between = rest.iter().take(16).take_while(|byte| BETWEEN.contains(byte)).count();
            let number = rest[between..].iter().take_while(|byte| byte.is_ascii_digit());
            let number: String = number.map(|&byte| char::from(byte)).collect();
            let until = number.parse().ok().and_then(|rider_id: i64| self.riders.get(&rider_id));
            between > 0 && until.is_some_and(|&until| written_at.is_none_or(|at| at < until))
        };
        !self.riders.is_empty() && memmem::find_iter(line, NAME).any(is_erased)
    }

    /// Of `rides` those that are erased and that nobody knew to be, as their headers name an erased rider.
    #[must_use]
    pub fn found_in<'r>(&self, rides: impl IntoIterator<Item = &'r Ride>) -> HashSet<Uuid> {
        let is_new = |ride: &&Ride| {
            !self.rides.contains(&ride.ride_id) && self.cover(ride.ride_id, ride.rider_id, ride.started_at)
        };
        rides.into_iter().filter(is_new).map(|ride| ride.ride_id).collect()
    }
}

/// How much was erased, by where it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Erased {
    /// Rides, in the buffer and in history.
    pub rides: i64,
    /// Their seconds, in the buffer and in the lake.
    pub readings: i64,
    /// Heart-rate alerts.
    pub alerts: i64,
    /// Descriptions of the rider: one each time a header said something new.
    pub descriptions: i64,
    /// What was settled for the rider: limits of their own.
    pub limits: i64,
    /// Mails and messages of the send ledger.
    pub messages: i64,
    /// Rejected lines of which the text is gone; that they came, and why they were refused, is kept.
    pub rejected_lines: i64,
    /// Mails that were written as files.
    pub mail_files: i64,
    /// Files of single rides.
    pub ride_files: i64,
}

/// Something that was erased, or is being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub erasure_id: Uuid,
    /// What.
    pub subject: Subject,
    /// When.
    pub erased_at: DateTime<Utc>,
    /// Who asked for it: an API key's id, or the command line.
    pub asked_by: String,
    /// How much that was.
    pub erased: Erased,
    /// Sealed days that it was in: they are sealed again, and what is made of them is made again.
    pub days: BTreeSet<NaiveDate>,
    /// Files that are still to be deleted.
    pub files: Files,
    /// When nothing of it was left anywhere.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Files outside the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Mails, which are in the outbox folder if they left as files.
    pub mails: Vec<Uuid>,
    /// Rides whose files may have been exported, with the days in whose folders they may be.
    pub rides: Vec<(Uuid, NaiveDate)>,
}

impl Files {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mails.is_empty() && self.rides.is_empty()
    }
}

/// Lines, and whether they name rider 7.
#[cfg(test)]
pub(crate) const NAMED: [(&str, bool); 9] = [
    (r#"{"user_id":7,"name""#, true),
    (r#"{"log":"data = {\"user_id\":7,\"oops""#, true),
    (r#"{'user_id': 7}"#, true),
    ("user_id=7", true),
    (r#"{"user_id":77}"#, false),
    (r#"{"user_id":17}"#, false),
    (r#"{"user_id":oops,"age":7}"#, false),
    ("user_id7", false),
    ("7", false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_rider_by_the_number_behind_user_id_unless_it_was_written_since() {
        let erased_at = "2026-01-05T12:00:00Z".parse().unwrap();
        let tombstones = Tombstones {
            riders: HashMap::from([(7, erased_at)]),
            ..Tombstones::default()
        };
        let hour = chrono::TimeDelta::hours(1);
        for (line, expected) in NAMED {
            let named = |at| tombstones.are_named_in(line.as_bytes(), at);
            assert_eq!(
                (named(None), named(Some(erased_at - hour))),
                (expected, expected),
                "{line}"
            );
            assert!(!named(Some(erased_at + hour)), "{line}");
        }
    }
}
