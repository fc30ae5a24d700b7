//! What librdkafka's client says of its own accord: rebalances and errors.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
    types::RDKafkaRespErr,
};

/// The same error is said again after this long, then twice as long, up to the maximum.
const ERROR_INTERVAL: Duration = Duration::from_secs(1);
const ERROR_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// What the client tells us of its own accord; collected during its callbacks, acted upon in `KafkaSource::poll`.
pub(super) enum Report {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Error(Code, String),
}

#[derive(Default)]
pub(super) struct Context {
    reports: Mutex<VecDeque<Report>>,
    is_closing: AtomicBool,
}

impl Context {
    /// The oldest report that nobody has taken.
    pub(super) fn next_report(&self) -> Option<Report> {
        lock(&self.reports).pop_front()
    }

    /// All reports.
    pub(super) fn take_reports(&self) -> Vec<Report> {
        lock(&self.reports).drain(..).collect()
    }

    /// From now on a rebalance is carried out at once: nobody polls any more.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Errors come through `error` as well, in words, and are said once, where they are handled.
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            lock(&self.reports).push_back(Report::Error(code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {
    /// Only notes the rebalance: it is carried out between polls, when rows can be written and brokers asked.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.is_closing.load(Ordering::Relaxed) {
            if let Err(error) = consumer.unassign() {
                tracing::debug!(%error, "could not give up partitions at the end");
            }
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        lock(&self.reports).push_back(match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Report::Assigned(partitions),
            _ => Report::Revoked(partitions),
        });
    }
}

/// When each error was last said, so that one that lasts is not said a thousand times.
#[derive(Default)]
pub(super) struct Said(HashMap<i32, (Instant, Duration)>);

impl Said {
    pub(super) fn is_due(&mut self, code: Code) -> bool {
        let now = Instant::now();
        match self.0.get_mut(&(code as i32)) {
            None => {
                self.0.insert(code as i32, (now, ERROR_INTERVAL));
                true
            }
            Some((last, interval)) if now - *last >= *interval => {
                (*last, *interval) = (now, (*interval * 2).min(ERROR_INTERVAL_MAX));
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// A panic elsewhere leaves the reports whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
