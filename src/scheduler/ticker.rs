//! Wakes the runner. tokio-cron-scheduler ticks, in UTC; everything else about time is the plan's business.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

use super::runner::{Lane, Runner};

const EACH_SECOND: &str = "* * * * * *";
const EACH_TWO_SECONDS: &str = "*/2 * * * * *";
const EACH_FIVE_SECONDS: &str = "*/5 * * * * *";

/// What is done at ticks, as it is called in the log and the metrics.
const INSTANTS: &str = "run what is due by the instant";
const DAYS: &str = "run what is due by the day";
const WATCH: &str = "look after cron.toml and tell of failures";

/// What is done at a tick. It blocks.
type Work = Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync>;

/// What keeps the runner going.
pub struct Ticker {
    scheduler: JobScheduler,
    runner: Runner,
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
            Arc::new(move || runner.tick_lane(lane))
        };
        let watch: Work = Arc::new(watch);
        let mut watch = Repeated::new(WATCH, watch, runner.clone());
        watch.look().await;
        let ticks = [
            (
                EACH_SECOND,
                Repeated::new(INSTANTS, lane(Lane::Instant), runner.clone()),
            ),
            (EACH_FIVE_SECONDS, Repeated::new(DAYS, lane(Lane::Day), runner.clone())),
            (EACH_TWO_SECONDS, watch),
        ];
        let scheduler = JobScheduler::new()
            .await
            .context("cannot set up the scheduler's tick")?;
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
            lanes.push(tokio::spawn(keep_going(work, waker)));
        }
        scheduler.start().await.context("cannot start the scheduler's tick")?;
        Ok(Ticker {
            scheduler,
            runner,
            lanes,
        })
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

async fn keep_going(mut work: Repeated, waker: Arc<Notify>) {
    loop {
        waker.notified().await;
        work.look().await;
    }
}

/// What is done at each tick, and how it goes.
struct Repeated {
    what: &'static str,
    work: Work,
    runner: Runner,
    failing: Option<Failing>,
}

impl Repeated {
    fn new(what: &'static str, work: Work, runner: Runner) -> Self {
        Repeated {
            what,
            work,
            runner,
            failing: None,
        }
    }

    async fn look(&mut self) {
        let work = Arc::clone(&self.work);
        let failed = match tokio::task::spawn_blocking(move || work()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(error) => Some(format!("it panicked: {error}")),
        };
        if failed.is_some() {
            self.runner.tick_failed(self.what);
        }
        let what = self.what;
        match Failing::news(&mut self.failing, failed) {
            Some(News::Fails(why)) => {
                tracing::error!("the scheduler cannot {what}; it tries again every few seconds: {why}");
            }
            Some(News::IsOver { times }) => {
                tracing::info!(times, "the scheduler can {what} again");
            }
            None => {}
        }
    }
}

/// What is done at each tick fails.
#[derive(Debug, PartialEq, Eq)]
struct Failing {
    why: String,
    times: u64,
}

/// What is worth a line in the log: what fails every second is told once, and again when it is another failure, or over.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Fails(String),
    IsOver { times: u64 },
}

impl Failing {
    /// Notes how it went this time; what is new about that.
    fn news(failing: &mut Option<Failing>, failed: Option<String>) -> Option<News> {
        let before = failing.take();
        let times = before.as_ref().map_or(0, |before| before.times);
        let Some(why) = failed else {
            return before.map(|_| News::IsOver { times });
        };
        let is_known = before.is_some_and(|before| before.why == why);
        *failing = Some(Failing {
            why: why.clone(),
            times: times + 1,
        });
        (!is_known).then_some(News::Fails(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_at_every_tick_is_told_once_and_when_it_changes_or_ends() {
        let mut failing = None;
        let full = || Some("the disk is full".to_owned());
        let told: Vec<_> = [None, full(), full(), Some("no lock".to_owned()), full(), None, None]
            .into_iter()
            .map(|failed| Failing::news(&mut failing, failed))
            .collect();
        let fails = |why: &str| Some(News::Fails(why.to_owned()));
        assert_eq!(
            told,
            [
                None,
                fails("the disk is full"),
                None,
                fails("no lock"),
                fails("the disk is full"),
                Some(News::IsOver { times: 4 }),
                None
            ]
        );
    }
}
