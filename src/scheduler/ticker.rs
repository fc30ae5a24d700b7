//! Wakes the runner. tokio-cron-scheduler ticks, in UTC; everything else about time is the plan's business.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

use super::runner::{Lane, Runner};

const EACH_SECOND: &str = "* * * * * *";
const EACH_TWO_SECONDS: &str = "*/2 * * * * *";
const EACH_FIVE_SECONDS: &str = "*/5 * * * * *";

/// What is done at a tick. It blocks.
type Work = Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync>;

/// What keeps the runner going.
pub struct Ticker {
    scheduler: JobScheduler,
    runner: Runner,
    wakers: Vec<Arc<Notify>>,
    lanes: Vec<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking; the first tick comes at once. Jobs that run by the instant are looked after each second; those about
    /// days, which are in no hurry, each five. `watch` is called each other second and waits for no job; it is called once
    /// before any of them begins.
    ///
    /// # Errors
    /// When the ticks cannot be set up.
    pub async fn start(
        runner: Runner,
        watch: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let lane = |lane: Lane| -> Work {
            let runner = runner.clone();
            Arc::new(move || runner.tick_lane(lane).map(drop))
        };
        let watch: Work = Arc::new(watch);
        look(&watch).await;
        let ticks = [
            (EACH_SECOND, lane(Lane::Instant)),
            (EACH_FIVE_SECONDS, lane(Lane::Day)),
            (EACH_TWO_SECONDS, watch),
        ];
        let scheduler = JobScheduler::new()
            .await
            .context("cannot set up the scheduler's tick")?;
        let mut wakers = Vec::new();
        let mut lanes = Vec::new();
        for (every, work) in ticks {
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
            lanes.push(tokio::spawn(keep_going(work, Arc::clone(&waker))));
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

async fn keep_going(work: Work, waker: Arc<Notify>) {
    loop {
        waker.notified().await;
        look(&work).await;
    }
}

async fn look(work: &Work) {
    let work = Arc::clone(work);
    match tokio::task::spawn_blocking(move || work()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("cannot look for due jobs; trying again at the next tick: {error:#}"),
        Err(error) => tracing::error!("looking for due jobs panicked; trying again at the next tick: {error}"),
    }
}
