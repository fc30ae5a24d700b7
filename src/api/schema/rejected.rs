//! Lines that could not be understood.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;

use crate::{domain, store::rejected::Rejected};

/// A line that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct RejectedLine {
    /// The topic, or the file's name.
    pub topic: String,
    /// Partition; 0 in a file.
    pub partition: i32,
    /// Offset; in a file the lines before it.
    pub offset: i64,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Why it was set aside.
    pub reason: String,
    /// The bike it came from; null where that is not known.
    pub bike_serial: Option<String>,
}

impl From<Rejected> for RejectedLine {
    fn from(line: Rejected) -> Self {
        RejectedLine {
            topic: line.topic,
            partition: line.partition,
            offset: line.offset,
            received_at: line.received_at,
            reason: line.reason,
            bike_serial: line.bike_serial,
        }
    }
}

/// A rejected line and what it says. May be personal.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct RejectedText {
    /// The line.
    #[oai(flatten)]
    pub line: RejectedLine,
    /// Its text; bytes that are none are replaced.
    pub text: String,
}

/// What came of reading rejected lines once more.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Replayed {
    /// Lines that are in place now.
    pub lines: i64,
    /// Readings that were not there at all.
    pub readings: i64,
    /// Readings that lacked one of their two lines.
    pub completed_readings: i64,
    /// Lines of seconds that were there already.
    pub duplicate_lines: i64,
    /// Lines that still cannot be read.
    pub refused: i64,
    /// Sealed days that have changed, and are sealed again.
    pub days: Vec<NaiveDate>,
}

impl From<domain::batch::Replayed> for Replayed {
    fn from(replayed: domain::batch::Replayed) -> Self {
        Replayed {
            lines: replayed.counts.messages,
            readings: replayed.counts.readings,
            completed_readings: replayed.completed_readings,
            duplicate_lines: replayed.counts.duplicate_lines,
            refused: replayed.refused,
            days: replayed.days.into_iter().collect(),
        }
    }
}
