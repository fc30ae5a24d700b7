//! Wider tests in one binary: linking the database is slow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod alerts;
mod captures;
mod chaos;
mod crash;
mod golden;
mod group;
mod layers;
mod mail;
mod peers;
mod program;
mod publish;
mod rerun;
mod restore;
mod ride_end;
mod scheduler;
mod serve;
mod trouble;
