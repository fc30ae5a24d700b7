//! What one run of a job logs, kept to be shown with it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    layer::{Context, Layer},
};

use crate::{clock::Clock, domain::run::LogLine};

/// A run keeps its newest lines; one that logs more has a loop in it.
const MOST_LINES: usize = 200;

/// A line is cut here.
const LONGEST_LINE: usize = 2_000;

thread_local! {
    /// The run that this thread works for.
    static HEARD_BY: RefCell<Option<RunLog>> = const { RefCell::new(None) };
}

/// The newest lines that a run logged. Cheap to clone; every clone is the same log.
#[derive(Debug, Clone)]
pub struct RunLog {
    clock: Clock,
    lines: Arc<Mutex<VecDeque<LogLine>>>,
}

impl RunLog {
    /// An empty log.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        RunLog {
            clock,
            lines: Arc::default(),
        }
    }

    /// Keeps what this thread logs from now on, until the answer is dropped.
    #[must_use]
    pub fn hear(&self) -> Hearing {
        Hearing(HEARD_BY.replace(Some(self.clone())))
    }

    /// Its lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.lock().iter().cloned().collect()
    }

    fn push(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let mut message = words.message + &words.fields;
        if let Some((cut, _)) = message.char_indices().nth(LONGEST_LINE) {
            message.truncate(cut);
            message.push('…');
        }
        let mut lines = self.lock();
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(LogLine {
            at: self.clock.now(),
            level: event.metadata().level().as_str().to_lowercase(),
            message,
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LogLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what a thread logs while it lives.
pub struct Hearing(Option<RunLog>);

impl Drop for Hearing {
    fn drop(&mut self) {
        HEARD_BY.set(self.0.take());
    }
}

/// Shows what `filter` lets pass, and has runs keep their own lines, shown or not.
///
/// One layer for both: a layer with a filter of its own forgets an event after a library has asked whether something would
/// be logged and then logs nothing, as librdkafka's does at every poll.
pub(super) struct Lines<L> {
    pub(super) filter: EnvFilter,
    pub(super) shown: L,
}

/// Whether runs keep it: what the program does. The words of libraries are not ours to hand on.
fn is_kept(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("deloton") && *metadata.level() <= Level::INFO
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Lines<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_kept(metadata) {
            Interest::always()
        } else {
            Layer::<S>::register_callsite(&self.filter, metadata)
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        is_kept(metadata) || self.filter.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.filter.max_level_hint().map(|shown| shown.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        self.shown.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        self.shown.on_record(id, values, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_kept(event.metadata()) {
            // A thread that ends may log when this is gone already.
            HEARD_BY
                .try_with(|log| log.borrow().as_ref().inspect(|log| log.push(event)).is_some())
                .ok();
        }
        if self.filter.enabled(event.metadata(), context.clone()) {
            self.shown.on_event(event, context);
        }
    }
}

/// A line as people read it: the sentence, then the fields. Which job and run it is about they know.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = field.name();
        let known = ["job.", "run.", "log."];
        // Writing to memory does not fail.
        if name == "message" {
            write!(self.message, "{value:?}").ok();
        } else if !known.iter().any(|known| name.starts_with(known)) {
            write!(self.fields, " {name}={value:?}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{
        layer::{Identity, SubscriberExt},
        registry,
    };

    use super::*;

    fn logging(filter: &str, work: impl FnOnce()) {
        let lines = Lines {
            filter: EnvFilter::new(filter),
            shown: Identity::new(),
        };
        tracing::subscriber::with_default(registry().with(lines), work);
    }

    #[test]
    fn a_run_keeps_its_own_lines_whatever_is_shown() {
        for filter in ["off", "trace"] {
            let log = RunLog::new(Clock::Fixed("2026-01-06T00:20:00Z".parse().unwrap()));
            logging(filter, || {
                tracing::info!("before");
                let hearing = log.hear();
                tracing::info!(job.name = "compact", rows = 7, reason = "late", "sealed {}", 3);
                tracing::debug!("not told");
                let other = RunLog::new(Clock::System);
                {
                    let _other = other.hear();
                    tracing::warn!("of another run");
                }
                assert_eq!(other.lines().len(), 1);
                tracing::warn!("{}", "x".repeat(5_000));
                drop(hearing);
                tracing::info!("after");
            });
            let lines = log.lines();
            let first = (lines[0].level.as_str(), lines[0].message.as_str());
            assert_eq!(first, ("info", "sealed 3 rows=7 reason=late"));
            assert_eq!((lines.len(), lines[1].message.chars().count()), (2, LONGEST_LINE + 1));
        }
    }

    #[test]
    fn of_many_lines_the_newest_are_kept() {
        let log = RunLog::new(Clock::System);
        logging("info", || {
            let _hearing = log.hear();
            for line in 0..MOST_LINES + 5 {
                tracing::info!("{line}");
            }
        });
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].message.as_str()), (MOST_LINES, "5"));
    }
}
