//! Deloton: from a bike's log line to the report a manager opens.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod jobs;
pub mod logging;
pub mod metrics;
pub mod notify;
pub mod publish;
pub mod report;
pub mod scheduler;
pub mod simulate;
pub mod store;
pub mod template;
