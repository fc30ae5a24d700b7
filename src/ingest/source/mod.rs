//! Where messages come from: a Kafka cluster or a file.

pub mod file;

/// A message as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct RawMessage<'a> {
    /// Its partition; 0 in files.
    pub partition: i32,
    /// Its offset; the line's number, from 0, in files.
    pub offset: i64,
    /// When it was written, milliseconds since 1970, where the broker says.
    pub timestamp_millis: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub payload: &'a [u8],
}
