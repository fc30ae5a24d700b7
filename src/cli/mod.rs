//! One file per command.

pub mod backfill;
pub mod check;
pub mod plan;
pub mod run;

#[cfg(test)]
mod schedule_tests;
