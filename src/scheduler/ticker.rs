//! Wakes the runner. tokio-cron-scheduler ticks, in UTC; everything else about time is the plan's business.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

use super::runner::{Lane, Runner};

/// Each second for jobs that run by the instant; each five seconds for those about days, which are in no hurry.
const TICKS: [(Lane, &str); 2] = [(Lane::Instant, "* * * * * *"), (Lane::Day, "*/5 * * * * *")];

/// What keeps the runner going.
pub struct Ticker {
    scheduler: JobScheduler,
    runner: Runner,
    wakers: Vec<Arc<Notify>>,
    lanes: Vec<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking; the first tick comes at once.
    ///
    /// # Errors
    /// When the ticks cannot be set up.
    pub async fn start(runner: Runner) -> anyhow::Result<Self> {
        let scheduler = JobScheduler::new()
            .await
            .context("cannot set up the scheduler's tick")?;
        let mut wakers = Vec::new();
        let mut lanes = Vec::new();
        for (lane, every) in TICKS {
            // A tick that comes while the lane is at work is remembered once, however many there are.
            let waker = Arc::new(Notify::new());
            let woken = Arc::clone(&waker);
            let tick =
                Tick::new(every, move |_, _| woken.notify_one()).context("cannot set up the scheduler's tick")?;
            scheduler
                .add(tick)
                .await
                .context("cannot set up the scheduler's tick")?;
            waker.notify_one();
            lanes.push(tokio::spawn(keep_going(runner.clone(), lane, Arc::clone(&waker))));
            wakers.push(waker);
        }
        scheduler.start().await.context("cannot start the scheduler's tick")?;
        Ok(Ticker {
            scheduler,
            runner,
            wakers,
            lanes,
        })
    }

    /// Looks for something to do right away rather than at the next tick.
    pub fn wake(&self) {
        for waker in &self.wakers {
            waker.notify_one();
        }
    }

    /// Stops ticking, waits up to `limit` for what runs, then cancels it. Says how many runs did not end even then.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn stop(mut self, limit: Duration) -> anyhow::Result<usize> {
        self.scheduler
            .shutdown()
            .await
            .context("cannot stop the scheduler's tick")?;
        let runner = self.runner.clone();
        let left = tokio::task::spawn_blocking(move || runner.stop(limit))
            .await
            .context("the runner's stop panicked")??;
        for lane in self.lanes {
            lane.abort();
        }
        Ok(left)
    }
}

async fn keep_going(runner: Runner, lane: Lane, waker: Arc<Notify>) {
    loop {
        waker.notified().await;
        let runner = runner.clone();
        match tokio::task::spawn_blocking(move || runner.tick_lane(lane)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!("cannot look for due jobs; trying again at the next tick: {error:#}"),
            Err(error) => tracing::error!("looking for due jobs panicked; trying again at the next tick: {error}"),
        }
    }
}
