//! Deletes from the buffer what history holds.

use anyhow::Result;
use chrono::{Days, NaiveDate};

use crate::{domain::run::JobStatus, store::Store};

/// Prunes the buffer so that, of the days up to `day`, the newest `keep_days` stay in it. The status counts `days`,
/// `rides` and `readings` deleted.
///
/// # Errors
/// When history does not hold what it should; nothing of that day is deleted then.
pub fn run(store: &Store, day: NaiveDate, keep_days: u32) -> Result<JobStatus> {
    let last = day - Days::new(u64::from(keep_days));
    let pruned = store.prune(last)?;
    Ok(JobStatus::done()
        .count("days", pruned.days)
        .count("rides", pruned.rides)
        .count("readings", pruned.readings))
}
