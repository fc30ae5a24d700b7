//! Wider tests in one binary: linking the database is slow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod captures;
mod crash;
mod golden;
mod group;
mod layers;
mod mail;
mod program;
mod publish;
mod rerun;
mod ride_end;
mod serve;
mod trouble;
