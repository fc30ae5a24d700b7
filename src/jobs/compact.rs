//! Seals a day: its rides and readings become history.

use anyhow::Result;
use chrono::NaiveDate;

use crate::{domain::run::JobStatus, store::Store};

/// Seals `day`. The status counts its `rides` and `readings`, and `changed`: 1 where history holds something else than
/// before.
///
/// # Errors
/// When the day could not be sealed; it is as it was then.
pub fn run(store: &Store, day: NaiveDate) -> Result<JobStatus> {
    let sealed = store.seal(day)?;
    Ok(JobStatus::done()
        .count("rides", sealed.rides.unsigned_abs())
        .count("readings", sealed.readings.unsigned_abs())
        .count("changed", u64::from(sealed.has_changed)))
}
