//! From messages to rows: the long-running consumer.

mod bike;
pub mod consume;
pub mod file;
pub mod open_ride;
pub mod parse;
pub mod pipeline;
pub mod replay;
pub mod sessionize;
pub mod source;
pub mod writer;
