//! The thread that writes batches, so that parsing goes on meanwhile.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};

use crate::{
    domain::{
        batch::{Batch, StreamId},
        day::DayRule,
        heart_rate::Alert,
        message::Envelope,
    },
    store::Store,
};

/// Writes the mail about an alert; none where there is nobody to mail.
pub type Compose = Arc<dyn Fn(&Alert) -> Option<Envelope> + Send + Sync>;

/// Writes batches in order, each in one transaction.
pub struct Writer {
    batches: Option<SyncSender<Batch>>,
    written: Receiver<Written>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// A batch that is in the store now.
#[derive(Debug)]
pub struct Written {
    /// Where each partition stands now: (partition, next offset).
    pub offsets: Vec<(i32, i64)>,
    /// Messages of it.
    pub messages: i64,
    /// Readings of it.
    pub readings: usize,
    /// Messages of it that were set aside.
    pub rejected: usize,
    /// Heart-rate alerts of it.
    pub alerts: usize,
    /// Whether the state of the open rides was written with it.
    pub has_checkpoint: bool,
    /// How long the transaction took.
    pub took: Duration,
}

impl Writer {
    /// Starts the thread for one stream, whose rides belong to days by `day_rule`, and whose alerts are mailed as `compose`
    /// says.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(store: Store, stream: StreamId, day_rule: DayRule, compose: Option<Compose>) -> anyhow::Result<Self> {
        let (batches, received) = sync_channel::<Batch>(1);
        let (report, written) = std::sync::mpsc::channel();
        let write = move || {
            for mut batch in received {
                let started = Instant::now();
                if let Some(compose) = &compose {
                    batch.alerts.iter_mut().for_each(|alert| alert.mail = compose(alert));
                }
                store.flush(&stream, &batch, &day_rule)?;
                let written = Written {
                    offsets: batch
                        .positions
                        .iter()
                        .map(|(&partition, position)| (partition, position.next_offset))
                        .collect(),
                    messages: batch.positions.values().map(|position| position.total().messages).sum(),
                    readings: batch.readings.len(),
                    rejected: batch.rejected.len(),
                    alerts: batch.alerts.len(),
                    has_checkpoint: !batch.checkpoints.is_empty(),
                    took: started.elapsed(),
                };
                // Nobody listens any more when the program ends; the batch is in the store all the same.
                if report.send(written).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let thread = thread::Builder::new()
            .name("flush".to_owned())
            .spawn(write)
            .context("cannot start the writing thread")?;
        Ok(Writer {
            batches: Some(batches),
            written,
            thread: Some(thread),
        })
    }

    /// Hands a batch over; waits while the one before is being written and another waits.
    ///
    /// # Errors
    /// Why an earlier batch could not be written.
    pub fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        let is_taken = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        if is_taken { Ok(()) } else { Err(self.failure()) }
    }

    /// Whether it takes batches still; after one could not be written it takes no more.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.batches.is_some()
    }

    /// What was written since the last call.
    pub fn written(&self) -> impl Iterator<Item = Written> {
        self.written.try_iter()
    }

    /// Waits until everything handed over is in the store.
    ///
    /// # Errors
    /// Why a batch could not be written.
    pub fn finish(mut self) -> anyhow::Result<Vec<Written>> {
        drop(self.batches.take());
        self.join()?;
        Ok(self.written.try_iter().collect())
    }

    fn join(&mut self) -> anyhow::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(anyhow!("the writing thread panicked")),
            None => Ok(()),
        }
    }

    fn failure(&mut self) -> anyhow::Error {
        drop(self.batches.take());
        self.join()
            .err()
            .unwrap_or_else(|| anyhow!("the writing thread ended early"))
    }
}

/// Whoever gives up in the middle waits as well: a batch must not be written when the stream is already read anew.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Err(error) = self.join() {
            tracing::error!(error = format!("{error:#}"), "the last batch was not written");
        }
    }
}
