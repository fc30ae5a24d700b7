//! Wider tests in one binary: linking the database is slow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod captures;
mod layers;
mod mail;
mod publish;
