//! What Prometheus reads. The names are a promise: dashboards and alarms are built on them.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::domain::run::Outcome;

type Seconds = Gauge<f64, AtomicU64>;

/// Every metric of the process. Cheap to clone; every clone is the same metrics. Gauges whose truth is in the store are
/// set by whoever reads it, before [`render`](Metrics::render).
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    messages: Counter,
    readings: Counter,
    rejected_lines: Counter,
    lag: Gauge,
    freshness: Seconds,
    flush: Histogram,
    checkpoint: Histogram,
    open_rides: Gauge,
    job_runs: Family<RunLabels, Counter>,
    job_duration: Family<JobLabels, Histogram>,
    job_deadlines_missed: Family<JobLabels, Counter>,
    tick_failures: Family<TickLabels, Counter>,
    job_days_overdue: Family<JobLabels, Gauge>,
    outbox: Family<StateLabels, Gauge>,
    disk_free: Gauge,
    buffer_readings: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    job: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    job: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TickLabels {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All metrics, at zero; what is not known yet (lag, freshness, room on the disk) says so.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("deloton");
        let flush = Histogram::new(exponential_buckets(0.005, 2.0, 12));
        let checkpoint = Histogram::new(exponential_buckets(0.005, 2.0, 12));
        let metrics = Metrics {
            messages: Counter::default(),
            readings: Counter::default(),
            rejected_lines: Counter::default(),
            lag: Gauge::default(),
            freshness: Seconds::default(),
            flush: flush.clone(),
            checkpoint: checkpoint.clone(),
            open_rides: Gauge::default(),
            job_runs: Family::default(),
            job_duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 3.0, 12))),
            job_deadlines_missed: Family::default(),
            tick_failures: Family::default(),
            job_days_overdue: Family::default(),
            outbox: Family::default(),
            disk_free: Gauge::default(),
            buffer_readings: Gauge::default(),
            registry: Arc::default(),
        };
        metrics.lag.set(UNKNOWN);
        metrics.disk_free.set(UNKNOWN);
        metrics.freshness.set(f64::NAN);
        registry.register(
            "ingest_messages",
            "Messages taken in from the log, stored",
            metrics.messages.clone(),
        );
        registry.register(
            "ingest_readings",
            "Readings stored: seconds of rides",
            metrics.readings.clone(),
        );
        registry.register(
            "ingest_rejected_lines",
            "Lines that could not be understood, kept with the reason",
            metrics.rejected_lines.clone(),
        );
        registry.register(
            "ingest_lag_messages",
            "Messages in the log that were not taken in yet; -1 while unknown",
            metrics.lag.clone(),
        );
        registry.register_with_unit(
            "ingest_freshness",
            "Age of the newest reading stored; NaN while there is none",
            Unit::Seconds,
            metrics.freshness.clone(),
        );
        registry.register_with_unit(
            "flush_duration",
            "Transactions that store readings and offsets",
            Unit::Seconds,
            flush,
        );
        registry.register_with_unit(
            "checkpoint_duration",
            "Checkpoints of the database",
            Unit::Seconds,
            checkpoint,
        );
        registry.register("open_rides", "Rides under way", metrics.open_rides.clone());
        registry.register(
            "job_runs",
            "Runs of jobs that ended, by outcome",
            metrics.job_runs.clone(),
        );
        registry.register_with_unit(
            "job_duration",
            "Runs of jobs that ended",
            Unit::Seconds,
            metrics.job_duration.clone(),
        );
        registry.register(
            "job_deadlines_missed",
            "Days that were not done by their job's deadline",
            metrics.job_deadlines_missed.clone(),
        );
        registry.register(
            "scheduler_tick_failures",
            "Ticks of the scheduler at which it could not do what it does",
            metrics.tick_failures.clone(),
        );
        registry.register(
            "job_days_overdue",
            "Days of the last week that are not done although their job's deadline has passed",
            metrics.job_days_overdue.clone(),
        );
        registry.register(
            "outbox_messages",
            "Messages in the send ledger, by state",
            metrics.outbox.clone(),
        );
        registry.register_with_unit(
            "disk_free",
            "Room left on the data folder's disk; -1 while unknown",
            Unit::Bytes,
            metrics.disk_free.clone(),
        );
        registry.register(
            "buffer_readings",
            "Readings in the buffer, not pruned yet",
            metrics.buffer_readings.clone(),
        );
        registry.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        Metrics {
            registry: Arc::new(registry),
            ..metrics
        }
    }

    /// A batch is in the store: what it held, and how long its transaction took.
    pub fn flushed(&self, messages: u64, readings: u64, rejected_lines: u64, took: Duration) {
        self.messages.inc_by(messages);
        self.readings.inc_by(readings);
        self.rejected_lines.inc_by(rejected_lines);
        self.flush.observe(took.as_secs_f64());
    }

    /// The state of the open rides was written, with a batch.
    pub fn checkpointed(&self, took: Duration) {
        self.checkpoint.observe(took.as_secs_f64());
    }

    /// A run of `job` ended.
    pub fn job_ended(&self, job: &str, outcome: Outcome, took: Duration) {
        let outcome = outcome.name();
        self.job_runs
            .get_or_create(&RunLabels {
                job: job.to_owned(),
                outcome,
            })
            .inc();
        self.job_duration
            .get_or_create(&JobLabels { job: job.to_owned() })
            .observe(took.as_secs_f64());
    }

    /// A day was not done by the deadline of `job`.
    pub fn deadline_missed(&self, job: &str) {
        let labels = JobLabels { job: job.to_owned() };
        self.job_deadlines_missed.get_or_create(&labels).inc();
    }

    /// What the scheduler does at each tick failed.
    pub fn tick_failed(&self, what: &'static str) {
        self.tick_failures.get_or_create(&TickLabels { what }).inc();
    }

    /// Days that are undone past the deadline, of each job that has one.
    pub fn set_days_overdue<'j>(&self, jobs: impl IntoIterator<Item = (&'j str, usize)>) {
        self.job_days_overdue.clear();
        for (job, days) in jobs {
            let labels = JobLabels { job: job.to_owned() };
            self.job_days_overdue.get_or_create(&labels).set(whole(days as u64));
            // There from the start: what begins with its first count has not risen.
            drop(self.job_deadlines_missed.get_or_create(&labels));
        }
    }

    /// Messages in the log that were not taken in yet; none while unknown.
    pub fn set_lag(&self, messages: Option<u64>) {
        self.lag.set(messages.map_or(UNKNOWN, whole));
    }

    /// Age of the newest reading stored; none while there is none.
    pub fn set_freshness(&self, seconds: Option<f64>) {
        self.freshness.set(seconds.unwrap_or(f64::NAN));
    }

    /// Rides under way.
    pub fn set_open_rides(&self, rides: u64) {
        self.open_rides.set(whole(rides));
    }

    /// Readings in the buffer.
    pub fn set_buffer_readings(&self, readings: u64) {
        self.buffer_readings.set(whole(readings));
    }

    /// Messages in the send ledger by the name of their state; states that are left out have none.
    pub fn set_outbox<'s>(&self, states: impl IntoIterator<Item = (&'s str, u64)>) {
        self.outbox.clear();
        for (state, count) in states {
            self.outbox
                .get_or_create(&StateLabels {
                    state: state.to_owned(),
                })
                .set(whole(count));
        }
    }

    /// Room left on the data folder's disk; none while unknown.
    pub fn set_disk_free(&self, bytes: Option<u64>) {
        self.disk_free.set(bytes.map_or(UNKNOWN, whole));
    }

    /// Everything in the `OpenMetrics` text format, which Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to memory does not fail");
        text
    }
}

/// A whole number that is not known.
const UNKNOWN: i64 = -1;

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of samples, without histograms' buckets.
    fn samples(metrics: &Metrics) -> Vec<String> {
        metrics
            .render()
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("_bucket{") && !line.contains("_sum"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_name_is_as_promised() {
        let metrics = Metrics::new();
        metrics.flushed(1000, 498, 2, Duration::from_millis(40));
        metrics.checkpointed(Duration::from_millis(300));
        metrics.job_ended("compact", Outcome::Succeeded, Duration::from_secs(2));
        metrics.job_ended("compact", Outcome::Failed, Duration::from_secs(1));
        metrics.deadline_missed("report");
        metrics.set_days_overdue([("report", 2)]);
        metrics.set_lag(Some(7));
        metrics.set_freshness(Some(1.5));
        metrics.set_open_rides(24);
        metrics.set_buffer_readings(9000);
        metrics.set_outbox([("waiting", 1), ("sent", 3)]);
        metrics.set_disk_free(Some(5_000_000_000));
        let mut found = samples(&metrics);
        found.sort();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            found,
            [
                "deloton_buffer_readings 9000",
                &format!("deloton_build_info{{version=\"{version}\"}} 1"),
                "deloton_checkpoint_duration_seconds_count 1",
                "deloton_disk_free_bytes 5000000000",
                "deloton_flush_duration_seconds_count 1",
                "deloton_ingest_freshness_seconds 1.5",
                "deloton_ingest_lag_messages 7",
                "deloton_ingest_messages_total 1000",
                "deloton_ingest_readings_total 498",
                "deloton_ingest_rejected_lines_total 2",
                "deloton_job_days_overdue{job=\"report\"} 2",
                "deloton_job_deadlines_missed_total{job=\"report\"} 1",
                "deloton_job_duration_seconds_count{job=\"compact\"} 2",
                "deloton_job_runs_total{job=\"compact\",outcome=\"failed\"} 1",
                "deloton_job_runs_total{job=\"compact\",outcome=\"succeeded\"} 1",
                "deloton_open_rides 24",
                "deloton_outbox_messages{state=\"sent\"} 3",
                "deloton_outbox_messages{state=\"waiting\"} 1",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let metrics = Metrics::new();
        let found = samples(&metrics);
        for line in [
            "deloton_ingest_lag_messages -1",
            "deloton_ingest_freshness_seconds NaN",
            "deloton_disk_free_bytes -1",
        ] {
            assert!(found.contains(&line.to_owned()), "{line}: {found:#?}");
        }
    }

    #[test]
    fn clones_are_the_same_and_a_state_that_is_empty_goes() {
        let metrics = Metrics::new();
        metrics.clone().set_outbox([("waiting", 1)]);
        assert!(
            metrics
                .render()
                .contains("deloton_outbox_messages{state=\"waiting\"} 1")
        );
        metrics.set_outbox([]);
        assert!(!metrics.render().contains("waiting"));
    }
}
