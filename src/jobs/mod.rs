//! One file per job kind: what a run does for its window, in named steps. When it runs is the scheduler's business.

#[cfg(test)]
mod daily_tables_tests;
pub mod notify;
pub mod publish;
pub mod send;
pub mod sql_files;
pub mod transform;
