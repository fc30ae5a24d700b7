//! How everything stands.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;

/// Where the pipeline stands, from the bikes to the people.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Status {
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// The program's version.
    pub version: String,
    /// The business day it is.
    pub today: NaiveDate,
    /// Bikes being ridden.
    pub riding: u64,
    /// Whether log lines can be received.
    pub stream_is_connected: bool,
    /// What is wrong with the stream, while something is.
    pub stream_trouble: Option<String>,
    /// Messages that wait in the log; null while unknown.
    pub lag_messages: Option<u64>,
    /// Messages consumed, ever.
    pub messages: u64,
    /// Partitions seen.
    pub partitions: u64,
    /// The newest reading's instant.
    pub newest_reading_at: Option<DateTime<Utc>>,
    /// When the buffer was written last.
    pub flushed_at: Option<DateTime<Utc>>,
    /// Rides in the buffer.
    pub buffer_rides: u64,
    /// Of those, under way.
    pub open_rides: u64,
    /// Readings in the buffer.
    pub buffer_readings: u64,
    /// Lines that could not be understood, kept for a person to look at.
    pub rejected_lines: u64,
    /// Days in history.
    pub sealed_days: u64,
    /// The newest of them.
    pub last_sealed_day: Option<NaiveDate>,
    /// Rides in history.
    pub sealed_rides: u64,
    /// When the report site was published last.
    pub published_at: Option<DateTime<Utc>>,
    /// Mails whose fate is not known yet.
    pub mails_waiting: u64,
    /// Mails, ever.
    pub mails: u64,
    /// Jobs under way.
    pub jobs_running: u64,
}
