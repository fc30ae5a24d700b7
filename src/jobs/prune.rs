//! Removes from the buffer what history verifiably holds.

use anyhow::Result;
use chrono::{Days, NaiveDate};

use crate::{domain::run::JobStatus, store::Store};

/// Prunes what belongs to days that were sealed more than `keep_days` before `last`, the day that ended last.
///
/// # Errors
/// When a file of the lake does not hold what was recorded of it.
pub fn run(store: &Store, last: NaiveDate, keep_days: u32) -> Result<JobStatus> {
    let pruned = store.prune(last - Days::new(u64::from(keep_days)))?;
    Ok(JobStatus::done()
        .count("days", pruned.days)
        .count("rides", pruned.rides)
        .count("readings", pruned.readings))
}
