//! When jobs run, without knowing what they do: cron.toml → plan → run ledger → run.
//!
//! A tick only wakes us. [`plan`] compares the schedule with what the ledger says has been done and lists what is
//! due; [`runner`] runs it and writes the ledger; [`ticker`] wakes the runner.

pub mod firing;
pub mod job;
pub mod observer;
pub mod plan;
pub mod runner;
pub mod ticker;

pub use self::{
    job::{Job, Run},
    observer::{Observer, RunEnd},
    runner::{Options, Runner},
    ticker::Ticker,
};
