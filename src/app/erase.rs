//! Erasing, from somebody's wish to the last byte.

use std::{
    collections::BTreeSet,
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use chrono::NaiveDate;

use super::App;
use crate::{
    domain::{
        cancel::Cancel,
        erasure::{Erasure, Subject},
        run::Outcome,
    },
    jobs::erase::{self, Finished, makes_days},
    scheduler::{plan::Reason, runner::Asked},
};

/// How often it is looked whether something was erased.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long what failed is left alone.
const PAUSE: Duration = Duration::from_secs(600);

/// Hears how many of how many days were made again, and which one is next. An error ends it there.
pub type Progress<'p> = &'p mut dyn FnMut(usize, usize, NaiveDate) -> io::Result<()>;

impl App {
    /// Erases a ride or a rider by the wish of `asked_by`: rows and files go at once. The rest is
    /// [`end_erasures`](Self::end_erasures)'. None where there is nothing of it.
    ///
    /// # Errors
    /// When the store cannot be read or written: nothing is erased then.
    pub fn erase(&self, subject: Subject, asked_by: &str) -> anyhow::Result<Option<Erasure>> {
        let Some(mut erasure) = self.store.erase(subject, asked_by)? else {
            return Ok(None);
        };
        tracing::info!("{subject} is erased, as {asked_by} asked");
        // What cannot be deleted now is deleted when it ends.
        match erase::delete_files(&self.store, &erasure, self.services.places()) {
            Ok(erased) => erasure.erased = erased,
            Err(error) => tracing::warn!("{error:#}; it is tried again"),
        }
        Ok(Some(erasure))
    }

    /// [`erase`](Self::erase), and whoever [keeps ending erasures](Self::keep_ending_erasures) does the rest.
    ///
    /// # Errors
    /// As [`erase`](Self::erase).
    pub fn erase_soon(&self, subject: Subject, asked_by: &str) -> anyhow::Result<Option<Erasure>> {
        let erased = self.erase(subject, asked_by);
        self.has_erasures.store(true, Ordering::Relaxed);
        erased
    }

    /// Brings to its end what is being erased: makes again what was made of the days it was in, deletes what the site keeps of
    /// them in older editions, and writes the database's file anew.
    ///
    /// # Errors
    /// When a day cannot be made again, or the store or the site be written. What it got to stays, and it is gone on with by
    /// whoever [keeps ending erasures](Self::keep_ending_erasures).
    pub fn end_erasures(&self, progress: Progress<'_>) -> anyhow::Result<Finished> {
        let ended = self.try_to_end_erasures(progress);
        if ended.is_err() {
            self.has_erasures.store(true, Ordering::Relaxed);
        }
        ended
    }

    fn try_to_end_erasures(&self, progress: Progress<'_>) -> anyhow::Result<Finished> {
        let mut failed = BTreeSet::new();
        for erasure in self.store.unfinished_erasures()? {
            failed.extend(self.restate(&erasure, progress)?);
        }
        let finished = {
            // Nobody publishes meanwhile.
            let _turn = Cancel::default().lock(&self.services.publishing)?;
            erase::finish(&self.store, &self.schedule(), self.services.places())?
        };
        if !failed.is_empty() {
            let days: Vec<_> = failed.iter().map(ToString::to_string).collect();
            bail!(
                "{} could not be made again without what was erased; `deloton status` says why. It is tried again by itself \
                 while `deloton serve` runs",
                days.join(", ")
            );
        }
        Ok(finished)
    }

    /// Makes again what was made of the days that the erasure was in. Answers those days for which that failed.
    fn restate(&self, erasure: &Erasure, progress: Progress<'_>) -> anyhow::Result<Vec<NaiveDate>> {
        let schedule = self.schedule();
        let asked = Asked {
            reason: Reason::Manual,
            mail: false,
        };
        let mut failed = Vec::new();
        for (done, &day) in erasure.days.iter().enumerate() {
            progress(done, erasure.days.len(), day)?;
            for job in schedule.jobs.iter().filter(|job| makes_days(job)) {
                let window = job.every.around(day);
                let last = self.runner.view()?.last(&job.name, window).and_then(|last| last.done);
                // What was made since, as another needed it, is as it should be.
                if last.is_none_or(|done| done.started_at >= erasure.erased_at) {
                    continue;
                }
                let ended = self.runner.run_asked(&job.name, window, asked)?;
                if ended.last().is_some_and(|run| run.outcome != Outcome::Succeeded) {
                    failed.push(day);
                    break;
                }
            }
        }
        Ok(failed)
    }

    /// Ends what was erased before or [is erased](Self::erase_soon), until told to stop.
    pub fn keep_ending_erasures(&self, stop: &AtomicBool) {
        let mut failed_at: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
            if failed_at.is_some_and(|at| at.elapsed() < PAUSE) || !self.has_erasures.swap(false, Ordering::Relaxed) {
                continue;
            }
            let proceed = |_, _, _| match stop.load(Ordering::Relaxed) {
                true => Err(io::Error::other("the program is about to end")),
                false => Ok(()),
            };
            failed_at = match self.end_erasures(&mut { proceed }) {
                Ok(_) => None,
                Err(error) => {
                    tracing::warn!("what was erased is not gone from everywhere yet: {error:#}");
                    Some(Instant::now())
                }
            };
        }
    }
}
