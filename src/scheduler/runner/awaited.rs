//! Runs that somebody asked for and does not wait for: known by an id from the moment they are asked for.

use std::{collections::VecDeque, sync::atomic::Ordering, thread};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Runner, ask::Asked, state::new_run_id};
use crate::domain::{run::Outcome, window::Window};

/// Of runs that never began, so many are remembered.
const REMEMBERED: usize = 100;

/// A run that was asked for and has not begun: what it comes after runs first, or another window of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The id that its run will have.
    pub run_id: Uuid,
    /// The job.
    pub job: String,
    /// What it is to produce.
    pub window: Window,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// What became of it, once it is known that it will not begin.
    pub ended: Option<NotBegun>,
}

/// Why a run that was asked for did not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBegun {
    /// The same window was being run when its turn came: that run is its result.
    SameAs(Uuid),
    /// It could not be made.
    Refused(String),
}

impl Runner {
    /// Has `job` run for `window`, or for the one it would be about now, and does not wait for it. Whoever asks for what is
    /// asked for or under way already is told of the same run.
    ///
    /// # Errors
    /// When there is no such job, the window does not suit it, or the program is about to end.
    pub fn start(&self, job: &str, window: Option<Window>, asked: Asked) -> anyhow::Result<Awaited> {
        let window = self.window(job, window)?;
        if self.inner.stopping.load(Ordering::Acquire) {
            bail!("`{job}` was not started for {window}: the program is about to end");
        }
        let now = self.inner.clock.now();
        let mut awaited = Awaited {
            run_id: new_run_id(now),
            job: job.to_owned(),
            window,
            asked_at: now,
            ended: None,
        };
        let mut state = self.lock();
        if let Some(running) = state.running.get(job).filter(|running| running.window == window) {
            awaited.run_id = running.run_id;
            return Ok(awaited);
        }
        let is_same = |other: &&Awaited| other.job == job && other.window == window && other.ended.is_none();
        if let Some(other) = state.awaited.iter().find(is_same) {
            return Ok(other.clone());
        }
        remember(&mut state.awaited, awaited.clone());
        drop(state);
        let (runner, run) = (self.clone(), awaited.clone());
        let spawned = thread::Builder::new()
            .name(job.to_owned())
            .spawn(move || runner.make(&run, asked));
        if let Err(error) = spawned {
            self.lock().awaited.retain(|other| other.run_id != awaited.run_id);
            return Err(error).context("cannot start a thread for the job");
        }
        Ok(awaited)
    }

    /// A run that was asked for and has not begun.
    #[must_use]
    pub fn awaited(&self, run_id: Uuid) -> Option<Awaited> {
        let state = self.lock();
        state.awaited.iter().find(|awaited| awaited.run_id == run_id).cloned()
    }

    fn make(&self, run: &Awaited, asked: Asked) {
        let made = self.run_as(&run.job, run.window, asked, Some(run.run_id));
        let ended = match &made {
            Ok(ended) => match ended.last() {
                Some(last) if last.job != run.job => NotBegun::Refused(format!(
                    "`{}`, which it comes after, {} for {}: {}",
                    last.job,
                    if last.outcome == Outcome::Failed {
                        "failed"
                    } else {
                        "was cut short"
                    },
                    last.window,
                    last.error.as_deref().unwrap_or("no reason was written down")
                )),
                Some(last) if last.run_id != run.run_id => NotBegun::SameAs(last.run_id),
                _ => return,
            },
            Err(error) => NotBegun::Refused(format!("{error:#}")),
        };
        if let NotBegun::Refused(why) = &ended {
            tracing::error!(job.name = run.job, job.window = %run.window, run.id = %run.run_id,
                "`{}` was asked for and not run for {}: {why}", run.job, run.window);
        }
        let mut state = self.lock();
        if let Some(awaited) = state.awaited.iter_mut().find(|awaited| awaited.run_id == run.run_id) {
            awaited.ended = Some(ended);
        }
    }
}

fn remember(awaited: &mut VecDeque<Awaited>, new: Awaited) {
    while awaited.len() >= REMEMBERED
        && let Some(oldest) = awaited.iter().position(|awaited| awaited.ended.is_some())
    {
        awaited.remove(oldest);
    }
    awaited.push_back(new);
}
