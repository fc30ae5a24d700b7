//! Erasing, from somebody's wish to the last byte.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use chrono::{DateTime, NaiveDate, Utc};

use super::App;
use crate::{
    domain::{
        cancel::Cancel,
        erasure::{Erasure, IfAbsent, Subject},
        run::Outcome,
        window::Window,
    },
    jobs::erase::{self, Finished, Rewriting, makes_days},
    scheduler::{plan::Reason, runner::Asked},
};

/// How often it is looked whether something was erased.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long what failed, or waits for others, is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Of the time that passes, so many times less is spent with writing the database's file anew, for which everybody waits: what
/// is erased meanwhile is gathered.
const REWRITE_ONE_IN: u32 = 100;

/// Hears how many of how many days were made again, and which one is next. An error ends it there.
pub type Progress<'p> = &'p mut dyn FnMut(usize, usize, NaiveDate) -> io::Result<()>;

impl App {
    /// Erases a ride or a rider by the wish of `asked_by`: rows and files go at once. The rest is
    /// [`end_erasures`](Self::end_erasures)'. None where there is nothing of it and that is refused.
    ///
    /// # Errors
    /// When the store cannot be read or written: nothing is erased then.
    pub fn erase(&self, subject: Subject, asked_by: &str, if_absent: IfAbsent) -> anyhow::Result<Option<Erasure>> {
        let Some(mut erasure) = self.store.erase(subject, asked_by, if_absent)? else {
            return Ok(None);
        };
        let tombstones = self.store.tombstones();
        self.live.retain(|ride| !tombstones.rides.contains(&ride));
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
        let erased = self.erase(subject, asked_by, IfAbsent::Refuse);
        self.has_erasures.store(true, Ordering::Relaxed);
        erased
    }

    /// Brings to its end what is being erased: makes again what was made of the days it was in, deletes what the site keeps of
    /// them in older editions, and writes the database's file anew if it may.
    ///
    /// # Errors
    /// When a day cannot be made again, or the store or the site be written. What it got to stays, and it is gone on with by
    /// whoever [keeps ending erasures](Self::keep_ending_erasures).
    pub fn end_erasures(&self, rewriting: Rewriting, progress: Progress<'_>) -> anyhow::Result<Finished> {
        let ended = self.try_to_end_erasures(rewriting, progress);
        if ended.is_err() {
            self.has_erasures.store(true, Ordering::Relaxed);
        }
        ended
    }

    fn try_to_end_erasures(&self, rewriting: Rewriting, progress: Progress<'_>) -> anyhow::Result<Finished> {
        let mut failed = Vec::new();
        let unfinished = self.store.unfinished_erasures()?;
        for erasure in &unfinished {
            failed.extend(self.restate(erasure, progress)?);
        }
        let mut rewriting = rewriting;
        if !unfinished.is_empty()
            && let Err(error) = self.extract_again()
        {
            failed.push(format!("the extracts: {error:#}"));
            // Nothing is at its end that is in them still.
            rewriting = Rewriting::Later;
        }
        let finished = {
            // Nobody publishes meanwhile.
            let _turn = Cancel::default().lock(&self.services.publishing)?;
            erase::finish(&self.store, &self.schedule(), self.services.places(), rewriting)?
        };
        if !failed.is_empty() {
            bail!(
                "not all days could be made again without what was erased: {}. It is tried again by itself while `deloton \
                 serve` runs",
                failed.join("; ")
            );
        }
        Ok(finished)
    }

    /// Makes again what was made of the days that the erasure was in. Answers what failed, in words.
    fn restate(&self, erasure: &Erasure, progress: Progress<'_>) -> anyhow::Result<Vec<String>> {
        let schedule = self.schedule();
        let mut failed = Vec::new();
        for (done, &day) in erasure.days.iter().enumerate() {
            progress(done, erasure.days.len(), day)?;
            for job in schedule.jobs.iter().filter(|job| makes_days(job)) {
                if let Err(error) = self.remake(&job.name, job.every.around(day), erasure.erased_at) {
                    failed.push(format!("{error:#}"));
                    break;
                }
            }
        }
        Ok(failed)
    }

    /// Has `job` make a window again, if it was made and not since `erased_at`.
    fn remake(&self, job: &str, window: Window, erased_at: DateTime<Utc>) -> anyhow::Result<()> {
        let asked = Asked {
            reason: Reason::Manual,
            mail: false,
        };
        // A run that was under way when it was erased is waited for, and the second one is what is asked for.
        for _ in 0..2 {
            let last = self.runner.view()?.last(job, window).and_then(|last| last.done);
            if last.is_none_or(|done| done.started_at >= erased_at) {
                break;
            }
            let ended = self.runner.run_asked(job, window, asked)?;
            if let Some(failed) = ended.last().filter(|run| run.outcome != Outcome::Succeeded) {
                let reason = failed.error.as_deref().unwrap_or("no reason was written down");
                bail!("`{}` failed for {}: {reason}", failed.job, failed.window);
            }
        }
        Ok(())
    }

    /// Ends what was erased before or [is erased](Self::erase_soon), until told to stop.
    pub fn keep_ending_erasures(&self, stop: &AtomicBool) {
        let (mut look_at, mut rewrite_from): (Option<Instant>, Instant) = (None, Instant::now());
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
            let is_new = self.has_erasures.swap(false, Ordering::Relaxed);
            if !is_new && look_at.is_none_or(|at| Instant::now() < at) {
                continue;
            }
            let proceed = |_, _, _| match stop.load(Ordering::Relaxed) {
                true => Err(io::Error::other("the program is about to end")),
                false => Ok(()),
            };
            let rewriting = if Instant::now() < rewrite_from {
                Rewriting::Later
            } else {
                Rewriting::Now
            };
            let ended = self.end_erasures(rewriting, &mut { proceed });
            let now = Instant::now();
            look_at = match ended {
                Ok(finished) => {
                    if let Some(rewritten) = finished.rewritten {
                        rewrite_from = now + rewritten.took * REWRITE_ONE_IN;
                    }
                    (finished.left > 0).then(|| rewrite_from.max(now + LOOK_EVERY))
                }
                Err(error) => {
                    tracing::warn!("what was erased is not gone from everywhere yet: {error:#}");
                    self.has_erasures.store(false, Ordering::Relaxed);
                    Some(now + PAUSE)
                }
            };
        }
    }
}
