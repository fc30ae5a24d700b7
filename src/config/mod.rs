//! `cron.toml` and the settings: text in, validated values out, all errors at once.

pub mod aws;
pub mod schedule;
pub mod settings;
