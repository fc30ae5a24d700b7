//! What things are and what the numbers mean: pure types and functions, no I/O, nothing of how they are stored.

pub mod access;
pub mod artifact;
pub mod batch;
pub mod cancel;
pub mod day;
pub mod erasure;
pub mod event;
pub mod heart_rate;
pub mod live;
pub mod message;
pub mod period_report;
pub mod report;
pub mod ride;
pub mod ride_ended;
pub mod rider;
pub mod run;
pub mod window;
pub mod workout;
