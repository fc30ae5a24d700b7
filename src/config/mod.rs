//! `cron.toml` and the settings: text in, validated values out, all errors at once.

pub mod schedule;
pub mod settings;
