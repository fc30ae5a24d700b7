//! Where lines come from: messages of a Kafka topic, one line each.
//!
//! ```text
//! config   settings → librdkafka's properties, every mistake in words
//! kafka    the consumer: assignment, positions, gaps, errors
//! client   librdkafka's reports: rebalances and errors; words: what they mean
//! batch    librdkafka's batch call: the only unsafe code
//! progress what may be handed on of each partition, and what is asked for again
//! probe    the same steps one by one, to say which of them fails
//! scan     a second client that reads around in a partition
//! start    where a first start begins: offsets found by the log's own clock
//! handover how a partition goes from one consumer of the group to the next
//! ```
//!
//! A source knows nothing of rides and stores nothing. It hands on a message only if its partition is assigned and its
//! offset is not below the next expected one, so what it says is in order and never twice.

mod batch;
mod client;
mod client_state;
pub mod config;
pub mod file;
pub mod handover;
pub mod kafka;
#[cfg(test)]
mod kafka_tests;
pub mod probe;
mod progress;
mod scan;
mod start;
mod words;

pub use config::KafkaConfig;
pub use kafka::{KafkaSource, Stored};

/// One message, borrowed from the client's buffers for the time of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// The partition it lies in.
    pub partition: i32,
    /// Its place there; gaps between offsets are legal.
    pub offset: i64,
    /// Kafka's stamp, milliseconds since 1970; old brokers have none.
    pub timestamp_millis: Option<i64>,
    /// The bike's serial, if the producer gave one.
    pub key: Option<&'a [u8]>,
    /// The value; empty for a tombstone.
    pub payload: &'a [u8],
}

/// Where an assigned partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The partition.
    pub partition: i32,
    /// The first offset that will be handed on.
    pub offset: i64,
    /// It goes on where the store left it. Otherwise what the store has under way there is another consumer's now.
    pub goes_on: bool,
    /// Rides that end before this offset are the former owner's; see [`handover`].
    pub taken_over_until: Option<i64>,
}

/// Something that happened to the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// These partitions are ours. Nothing of them was handed on yet.
    Assigned(Vec<Assigned>),
    /// These partitions are going to another consumer. They are given up at the next poll: until then their rows can be
    /// written and their offsets committed.
    Revoked(Vec<i32>),
    /// All there is in the partition has been handed on.
    EndOfPartition(i32),
    /// The log does not hold the offsets from `from` to before `to` any more, or (`from` above `to`) is a new one.
    Gap {
        /// The partition.
        partition: i32,
        /// The offset that was expected.
        from: i64,
        /// The oldest there is, where the source goes on.
        to: i64,
    },
    /// Something is wrong outside, in words. The source goes on trying by itself.
    Error(String),
}

/// What a poll hands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled<'a> {
    /// A message.
    Message(RawMessage<'a>),
    /// An event.
    Event(SourceEvent),
}
