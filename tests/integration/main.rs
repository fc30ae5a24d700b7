//! Wider tests in one binary: linking the database is slow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod alerts;
mod captures;
mod chaos;
mod crash;
mod erase;
mod examples;
mod extract;
mod extract_dictionary;
mod extract_hyper;
mod extract_persons;
mod extract_trouble;
mod gate;
mod golden;
mod group;
mod keys;
mod layers;
mod mail;
mod peers;
mod peers_mail;
mod peers_site;
mod preview;
mod program;
mod publish;
mod rerun;
mod restore;
mod ride_end;
mod s3_faults;
mod scheduler;
mod serve;
mod trouble;
mod web;
mod workouts;
