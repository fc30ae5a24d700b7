//! Brings to its end what is being erased. Its rows went when it was asked for.
//!
//! 1. Delete its files: mails that left as such, and what was exported of single rides.
//! 2. Wait until the days it was in, and what is made of them, were made again.
//! 3. Delete what older editions of the site kept.
//! 4. Write the database's file anew, so that the bytes are gone too.

use std::collections::HashSet;

use anyhow::{Context, Result};
use tokio::runtime::Handle;

use crate::{
    config::schedule::{JobConfig, Kind, Schedule},
    domain::erasure::{Erased, Erasure},
    export::Exporter,
    notify::Notifier,
    publish::Publisher,
    store::{Store, ledger::LastRun, rewrite::Rewritten},
};

/// Where there may be something of it outside the database.
#[derive(Clone, Copy)]
pub struct Places<'p> {
    /// Files of single rides.
    pub exporter: &'p Exporter,
    /// Mails that left as files.
    pub outbox: &'p Notifier,
    /// The site, which keeps its older editions.
    pub publisher: &'p Publisher,
    /// Waits for these.
    pub runtime: &'p Handle,
}

/// What was brought to its end.
#[derive(Debug, Default)]
pub struct Finished {
    /// Erasures of which nothing is left.
    pub erasures: Vec<Erasure>,
    /// Older editions of the site that were deleted.
    pub editions: u64,
    /// What writing the database's file anew came to.
    pub rewritten: Option<Rewritten>,
}

/// Deletes the files of what is being erased, and ends what waits for nothing more.
///
/// # Errors
/// When a file could not be deleted, the site not be reached or the database's file not be written anew; nothing is said to
/// be finished then, and the next call goes on.
pub fn finish(store: &Store, schedule: &Schedule, places: Places<'_>) -> Result<Finished> {
    let mut finished = Finished::default();
    let unfinished = store.unfinished_erasures()?;
    if unfinished.is_empty() {
        return Ok(finished);
    }
    for mut erasure in unfinished {
        erasure.erased = delete_files(store, &erasure, places)?;
        if is_settled(store, schedule, &erasure)? {
            finished.erasures.push(erasure);
        }
    }
    if finished.erasures.is_empty() {
        return Ok(finished);
    }
    let target = places.publisher.target();
    finished.editions = places
        .runtime
        .block_on(places.publisher.forget_editions())
        .with_context(|| format!("cannot delete what older editions of `{target}` kept"))?;
    finished.rewritten = Some(store.rewrite()?);
    for erasure in &finished.erasures {
        store.finish_erasure(erasure.erasure_id)?;
        tracing::info!("nothing is left of {}", erasure.subject);
    }
    Ok(finished)
}

/// Deletes the files of `erasure`; answers how much is erased by now. It is done until the end: one that was being written
/// when the rows went is there a moment later.
///
/// # Errors
/// When one cannot be deleted.
pub fn delete_files(store: &Store, erasure: &Erasure, places: Places<'_>) -> Result<Erased> {
    let doing = || format!("cannot delete the files of {}", erasure.subject);
    let mut erased = erasure.erased;
    let mails: HashSet<_> = erasure.files.mails.iter().copied().collect();
    let deleted = places.outbox.delete(&mails).with_context(doing)?;
    erased.mail_files += i64::try_from(deleted).unwrap_or(i64::MAX);
    let mut ride_files = 0;
    for &(ride_id, day) in &erasure.files.rides {
        let deleted = places.runtime.block_on(places.exporter.delete_files(ride_id, day));
        ride_files += deleted.with_context(doing)?;
    }
    // A bucket does not say whether a file was there, however often it is asked.
    erased.ride_files = erased.ride_files.max(i64::try_from(ride_files).unwrap_or(i64::MAX));
    if erased != erasure.erased {
        store.count_erased(erasure.erasure_id, &erased)?;
    }
    Ok(erased)
}

/// Whether all that was ever made of the days it was in was made again since.
fn is_settled(store: &Store, schedule: &Schedule, erasure: &Erasure) -> Result<bool> {
    if erasure.days.is_empty() {
        return Ok(true);
    }
    if !store.late_days()?.is_disjoint(&erasure.days) {
        return Ok(false);
    }
    let is_of_these_days = |run: &LastRun| {
        schedule.job(&run.job).is_some_and(makes_days) && run.window.days().any(|day| erasure.days.contains(&day))
    };
    let is_older = |run: &LastRun| run.done_started_at.is_some_and(|at| at < erasure.erased_at);
    Ok(!store
        .last_runs()?
        .iter()
        .any(|run| is_of_these_days(run) && is_older(run)))
}

/// Whether what a job makes of a day has anything of its rides in it: tables, reports, the site. A mail that left is gone.
#[must_use]
pub fn makes_days(job: &JobConfig) -> bool {
    let is_such = matches!(
        job.kind,
        Kind::Compact | Kind::Transform { .. } | Kind::Report { .. } | Kind::Publish
    );
    is_such && job.enabled && !job.is_sub_day()
}
