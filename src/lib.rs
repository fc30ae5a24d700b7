//! Deloton: from a bike's log line to the report a manager opens. This page is the map.
//!
//! # The flow
//!
//! ```text
//!  what it is            moved by              where it rests, where you can look at it
//!  log line            ┐ ingest (long-running  daily.reading, daily.ride, daily.rider, daily.alert,
//!  event → reading     ┘ consumer)             daily.rejected_line, ops.*     (one transaction per flush)
//!  alert               outbox                  ops.outbox → SES | data/outbox/*.eml
//!  ride that ended     export_rides (job)      ops.outbox → data/exports/ | S3, an SNS topic, a webhook
//!  finished day        compact (job)           historical.ride, historical.rider, data/lake/…/date=D/*.parquet
//!  what a number means transform (jobs/*.sql)  historical.<name>: one row set per day
//!  report model        report (job)            DailyReport → data/reports/D/ (html, pdf, json, csv); PeriodReport for
//!                                              weeks and months → data/reports/weekly/W/, monthly/M/ (html, json, csv)
//!  published site      publish (job)           S3 bucket | data/site/
//!  daily mail          notify (job)            ops.outbox (the send ledger) → SES | data/outbox/
//!  extracts            extract (job)           data/extracts/ | S3: CSV, Parquet, .twbx, .hyper
//!  workouts            import, peloton (job)   historical.workout, historical.workout_sample
//!  API, live dashboard read the store; may ask for a run; erase on request; never render or publish
//! ```
//!
//! Read it downwards; nothing flows up. Every stage leaves something to look at and can be run again for the same day
//! with the same result.
//!
//! 1. `cron.toml` says when, `jobs/` says what a number means, `src/` says how. Only the last needs a compiler.
//! 2. A tick only wakes us; the run ledger (`ops.job_run`) decides which windows are due.
//! 3. SQL that defines a number is one SELECT in `jobs/`; SQL that fetches rows for Rust is in `src/store/sql/`.
//!
//! # One line's way, as a reading order
//!
//! [`ingest::source`] hands on messages, [`ingest::parse`] turns one into an event, [`ingest::sessionize`] finds its bike,
//! whose state machine (`ingest/bike.rs`) makes readings and rides of them,
//! [`ingest::pipeline`] collects them in a [`domain::batch::Batch`], [`ingest::writer`] has [`store::flush`] store it.
//! [`store::compact`] seals the day, [`store::daily_table`] fills its tables, [`report::model`] reads them,
//! [`report::site`] renders, [`publish`] puts the files where people open them, [`notify`] writes the mail. [`app`]
//! ties it together, [`cli::serve`] keeps it running.
//!
//! # Layers
//!
//! A module imports only from lower layers; modules of layer 2 never import each other. `tests/integration/layers.rs`
//! reads the `use crate::` lines and fails on any other.
//!
//! | layer | modules | knows |
//! |---|---|---|
//! | 0 | [`domain`], [`config`], [`clock`], [`logging`], [`metrics`] | nothing below; `domain` is pure |
//! | 1 | [`store`], [`template`], [`http`] | DuckDB and Parquet; Tera; other programs' servers |
//! | 2 | [`ingest`], [`simulate`], [`report`], [`publish`], [`notify`], [`export`], [`extract`], [`peloton`], [`scheduler`] | one outside thing each |
//! | 3 | [`jobs`] | what a run does for its window |
//! | 4 | [`app`] | which implementations are used: the only place |
//! | 5 | [`api`], [`cli`] | people |
//!
//! # Invariants
//!
//! - Only `store` knows DuckDB. Only `config` reads the environment. Only `clock` asks what time it is.
//! - `domain` does no I/O. `report` only reads. `publish`, `notify`, `export` and `peloton` do not know the store: the jobs record what they
//!   did. `scheduler` runs jobs without knowing which. `api` never renders a report and never publishes; its
//!   pages draw with [`report::chart`].
//! - Offsets are written in the transaction of the rows they cover; the state of open rides can always be made again by
//!   replaying the log from a checkpoint.
//! - `historical.rider_total` is what the rides of history add up to: whoever changes `historical.ride` counts the riders
//!   concerned again in the same transaction. Whoever changes rides has those forgotten that are kept in memory
//!   (`store::known_rides`): every transaction of the store does, and sealing.
//! - A ride may be told of by several streams: the store knows which ([`store::ride_source`]) and compares their seconds.
//!   Consumers of one group hand partitions over with the rides under way ([`ingest::source::handover`]).
//! - Nothing is deleted from the buffer that history does not verifiably hold; but what is erased goes from everywhere
//!   ([`store::erasure`], `app/erase.rs`), and its tombstone keeps it from coming back with the log or a backup.
//! - What is in a folder of extracts is named in its manifest before it is there, so that all of it can be taken away again;
//!   columns that tell of a person are in a folder of their own. What is erased leaves them before the erasure ends.
//! - A mail is in the ledger before it is sent, once per (kind, topic, recipient), and never to whoever has unsubscribed. So
//!   is word of a ride's end, from the transaction that stores the end; it may be sent twice, under the same key, rather
//!   than not at all.
//! - Every operation of the API has its least role in one table (`api/access.rs`); what is in no table is an administrator's.
//!   Of a key only a hash is stored, and without any key only loopback is listened on.
//! - A workout is one whoever tells of it ([`domain::workout::merge`]), and what was deleted stays deleted. On the site are those
//!   of riders who asked for it, and of nobody else.
//! - A message is a reading's line, a header's, a marker, a repeat, or kept with the reason why not; and counted.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod export;
pub mod extract;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod logging;
pub mod metrics;
pub mod notify;
pub mod peloton;
pub mod publish;
pub mod report;
pub mod scheduler;
pub mod simulate;
pub mod store;
pub mod template;
