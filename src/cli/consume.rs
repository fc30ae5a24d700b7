//! `deloton consume`: a whole file, or Kafka alone.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    output::{Output, Progress, Unit},
    serve,
    words::{counted, grouped, lines},
};
use crate::{
    app::App,
    config::settings::SourceKind,
    ingest::{consume::Consumer, file::ingest_file, source::KafkaConfig},
};

/// How often mails about heart-rate alerts that could not be sent are tried again.
const ALERTS_INTERVAL: Duration = Duration::from_secs(5);

/// Take in a file of JSON lines; without one, consume from Kafka and nothing else.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct ConsumeArgs {
    /// A file of `{"log": "…"}` lines, optionally with `"key"`, gzip too; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
}

/// Takes the file in, or consumes until told to stop.
///
/// # Errors
/// When the file cannot be read, the settings are wrong or the store cannot be written.
pub fn consume(args: &ConsumeArgs, app: &App, out: &mut dyn Output) -> anyhow::Result<()> {
    match &args.from_file {
        Some(path) => take_in(path, app, out),
        None => from_kafka(app),
    }
}

fn take_in(path: &std::path::Path, app: &App, out: &mut dyn Output) -> anyhow::Result<()> {
    let summary = ingest_file(&app.store, app.rules(), app.settings.log_timezone, path, |done, all| {
        let (unit, at) = (Unit::Bytes, String::new());
        out.progress(Progress { done, all, unit, at });
    })?;
    let counts = summary.counts;
    let count = |count: i64| count.unsigned_abs();
    let (now, all) = (count(summary.messages), count(counts.messages));
    if now == 0 && all > 0 {
        writeln!(
            out,
            "this file was taken in before; all that was not erased since is stored"
        )?;
    } else if now < all {
        writeln!(
            out,
            "{} taken in now, after {} by an earlier run that was cut off",
            counted(now, "message"),
            grouped(all - now)
        )?;
    }
    writeln!(
        out,
        "{}{}: {}",
        if now < all { "the whole file: " } else { "" },
        counted(all, "message"),
        lines(
            count(counts.readings),
            count(counts.duplicate_readings),
            count(counts.duplicate_lines),
            count(counts.rejected_lines)
        )
    )?;
    if counts.tombstoned_lines > 0 {
        writeln!(
            out,
            "{} of what was erased: not stored",
            counted(count(counts.tombstoned_lines), "line")
        )?;
    }
    if counts.rejected_lines > 0 {
        writeln!(out, "see why with `deloton rejected list`")?;
    }
    if summary.partial_rides > 0 {
        let (were, whose) = if summary.partial_rides == 1 {
            ("was", "its rider is")
        } else {
            ("were", "their riders are")
        };
        let rides = counted(count(summary.partial_rides), "ride");
        writeln!(out, "{rides} {were} joined midway: {whose} not known")?;
    }
    if summary.days.is_empty() {
        return Ok(());
    }
    let zone = app.schedule().day.timezone;
    writeln!(
        out,
        "\nthe file's rides by business day (in {zone}; the log's stamps are {})\n{:<10}   {:>6}   {:>8}",
        app.settings.log_timezone, "day", "rides", "readings"
    )?;
    for (day, rides, readings) in &summary.days {
        writeln!(
            out,
            "{day}   {rides:>6}   {readings:>8}   deloton run report --day {day}"
        )?;
    }
    Ok(())
}

fn from_kafka(app: &App) -> anyhow::Result<()> {
    if app.settings.source() != SourceKind::Kafka {
        bail!("nothing to consume: name brokers with --kafka-brokers, or a file with --from-file");
    }
    let stop = Arc::new(AtomicBool::new(false));
    serve::on_signal(Arc::clone(&stop)).context("cannot listen for signals")?;
    let consumer = Consumer {
        store: app.store.clone(),
        rules: app.rules(),
        log_timezone: app.settings.log_timezone,
        kafka: KafkaConfig {
            node: app.store.node_id()?,
            ..KafkaConfig::from_settings(&app.settings)?
        },
        live: Arc::clone(&app.live),
        compose: Some(app.alert_mails()),
        stop,
    };
    consumer.run(&mut serve::Watch::new(app, Some(ALERTS_INTERVAL))?)
}
