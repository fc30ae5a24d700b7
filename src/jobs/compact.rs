//! Seals a finished day.

use anyhow::Result;
use chrono::NaiveDate;

use crate::{domain::run::JobStatus, store::Store};

/// Seals `day`; again, it changes nothing.
///
/// # Errors
/// When the day's rides and readings do not agree, or something cannot be read or written.
pub fn run(store: &Store, day: NaiveDate) -> Result<JobStatus> {
    let sealed = store.seal(day)?;
    #[expect(clippy::cast_sign_loss, reason = "counts")]
    Ok(JobStatus::done()
        .count("rides", sealed.rides as u64)
        .count("readings", sealed.readings as u64)
        .count("changed", u64::from(sealed.has_changed)))
}
