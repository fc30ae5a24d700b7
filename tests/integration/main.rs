//! Wider tests in one binary: linking the database is slow.

mod mail;
mod publish;
