//! One file per job kind: what a run does for its window, in named steps. When it runs is the scheduler's business.

pub mod backup;
pub mod compact;
#[cfg(test)]
mod daily_tables_tests;
pub mod erase;
pub mod export_rides;
pub mod extract;
pub mod failures;
pub mod gate;
pub mod notify;
mod parallel;
pub mod peloton;
pub mod period_report;
pub mod prune;
pub mod publish;
pub mod report;
pub mod send;
pub mod send_alerts;
pub mod sql_files;
pub mod transform;
