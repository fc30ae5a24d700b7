//! What `deloton serve` does where no cluster is named: simulated bikes that ride now, and have ridden on the days before.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, bail};
use chrono::{Days, NaiveDate};

use super::{
    output::{Output, Progress, Terminal, Unit},
    serve::{ServeArgs, consume, run_job},
};
use crate::{
    app::App,
    config::settings::MailKind,
    domain::{batch::StreamId, day::Span},
    ingest::{
        self,
        source::{KafkaConfig, RawMessage},
    },
    simulate::{Faults, Fleet, FleetConfig, broker::EmbeddedBroker, envelope},
};

/// Business days that a first start with simulated bikes fills in.
const PAST_DAYS: u64 = 7;

/// Partitions of the embedded broker's topic.
const PARTITIONS: i32 = 3;

/// Source of the filled-in past in `ops.stream`.
const PAST: &str = "simulated-past";

/// Prefix of the embedded broker's identities.
const EMBEDDED: &str = "embedded-";

/// Simulated bikes through an embedded broker, after the days before were filled in.
pub(super) fn simulate(args: &ServeArgs, app: &App, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    fill_in_past(args, app, &stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    // The logs of earlier starts are gone with their brokers.
    app.store.drop_checkpoints(EMBEDDED)?;
    let topic = &app.settings.kafka_topic;
    let mut broker = EmbeddedBroker::start(topic, PARTITIONS)?;
    let now = app.clock.now();
    let fleet = Fleet::new(FleetConfig {
        demo_from: Some(now),
        ..fleet_config(args, app)
    });
    let lines = fleet
        .lines(Span {
            start: now,
            end: now + Days::new(365),
        })
        .with_faults(Faults::default(), args.seed);
    broker.produce(topic, lines, now)?;
    let kafka = KafkaConfig {
        brokers: broker.bootstrap_servers(),
        topic: topic.clone(),
        group: app.settings.kafka_group.clone(),
        properties: Vec::new(),
        start: crate::config::settings::StartAt::Earliest,
        lookback: chrono::TimeDelta::hours(2),
        log_timezone: app.settings.log_timezone,
        identity: Some(broker.identity()),
        node: app.store.node_id()?,
    };
    consume(app, kafka, stop)
}

fn fleet_config(args: &ServeArgs, app: &App) -> FleetConfig {
    FleetConfig {
        seed: args.seed,
        bikes: args.bikes,
        rides_per_day_max: args.rides_per_day,
        timezone: app.schedule().day.timezone,
        ..FleetConfig::default()
    }
}

/// On the very first start: the business days before, through the same parser, sessioniser, compaction and report.
fn fill_in_past(args: &ServeArgs, app: &App, stop: &AtomicBool) -> anyhow::Result<()> {
    let marker = past_marker(app);
    if marker.exists() {
        return Ok(());
    }
    let Some((first, last)) = past_days(app)? else {
        return Ok(());
    };
    let span = Span {
        start: app.schedule().day.span(first).start,
        end: app.schedule().day.span(last).end,
    };
    // The rides are one step, and each day's report is one.
    let (unit, all) = (Unit::Thousandths, (PAST_DAYS + 1) * 1000);
    let mut terminal = Terminal::default();
    tracing::info!(%first, %last, "filling in the days before the first start");
    let fleet = Fleet::new(FleetConfig {
        opens_at: Some(span.start),
        ..fleet_config(args, app)
    });
    let stream = StreamId {
        source: format!("{PAST}-{}-{first}-{last}", args.seed),
        topic: app.settings.kafka_topic.clone(),
    };
    let mut lines = fleet.lines(span);
    let mut payload = Vec::new();
    let filled = ingest::file::ingest(&app.store, app.rules(), app.settings.log_timezone, &stream, |each| {
        let mut offset = 0;
        while let Some(line) = lines.next_line() {
            payload.clear();
            envelope::write_payload(&line, &mut payload);
            if offset % 65_536 == 0 {
                let done = (line.at - span.start).num_seconds() * 1000 / (span.end - span.start).num_seconds();
                let done = u64::try_from(done).unwrap_or(0);
                let at = format!("making rides of {first} to {last}");
                terminal.progress(Progress { done, all, unit, at });
                if stop.load(Ordering::Relaxed) {
                    bail!("stopped while filling in the past; the next start goes on with it");
                }
            }
            let key = Some(line.serial.as_bytes());
            each(RawMessage {
                partition: 0,
                offset,
                timestamp_millis: None,
                key,
                payload: &payload,
            })?;
            offset += 1;
        }
        Ok(())
    });
    // What was taken in until now stays; the next start goes on from there.
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    filled?;
    let (mut day, mut done) = (first, 1000);
    while day <= last && !stop.load(Ordering::Relaxed) {
        let at = format!("compacting and reporting {day}");
        terminal.progress(Progress { done, all, unit, at });
        run_job(app, "report", day)?;
        done += 1000;
        day = day + Days::new(1);
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    run_job(app, "publish", last)?;
    if app.settings.mail == MailKind::Outbox {
        run_job(app, "notify", last)?;
    }
    std::fs::write(&marker, format!("{first} {last}\n")).with_context(|| format!("cannot write `{}`", marker.display()))
}

/// The days to fill in: those that a start which was cut short had begun with, else the last ones that are over. None
/// where this is not the very first start: simulated days must not be mixed into what came from elsewhere.
fn past_days(app: &App) -> anyhow::Result<Option<(NaiveDate, NaiveDate)>> {
    let begun = past_marker(app).with_extension("begun");
    let told = || {
        format!(
            "`{}` is damaged; delete it to begin the filling-in anew",
            begun.display()
        )
    };
    if let Ok(text) = std::fs::read_to_string(&begun) {
        let (first, last) = text.trim().split_once(' ').with_context(told)?;
        return Ok(Some((
            first.parse().with_context(told)?,
            last.parse().with_context(told)?,
        )));
    }
    if !app.store.streams()?.is_empty() {
        return Ok(None);
    }
    let last = app.schedule().day.last_finished(app.clock.now());
    let first = last - Days::new(PAST_DAYS - 1);
    std::fs::write(&begun, format!("{first} {last}\n"))
        .with_context(|| format!("cannot write `{}`", begun.display()))?;
    Ok(Some((first, last)))
}

fn past_marker(app: &App) -> PathBuf {
    app.settings.data_dir.join("simulated-past")
}
