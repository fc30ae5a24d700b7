//! Seals a day: its rides and readings become history.

use anyhow::Result;
use chrono::NaiveDate;

use crate::{domain::run::JobStatus, store::Store};

/// Seals `day`. The status counts its `rides` and `readings`, and `changed`: 1 where history holds something else than
/// before. Days that lost rides to this one are due again, with all that comes after them.
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        domain::{
            cancel::{Cancel, Why},
            ride::EndReason,
        },
        store::fixture::{Told, open},
    };

    #[test]
    fn a_cancelled_run_leaves_the_day_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let monday = "2026-01-05".parse().unwrap();
        Told::new("2026-01-05T10:00:00Z").flush(&store, 5, TimeDelta::zero(), Some(EndReason::Idle));
        let cancel = Cancel::default();
        let of_run = store.cancelled_by(&cancel);
        cancel.raise(Why::TimedOut);
        assert!(run(&of_run, monday).is_err());
        assert_eq!(
            run(&store, monday).unwrap().counts["changed"],
            1,
            "nothing was sealed before"
        );
    }

    #[test]
    fn a_day_that_lost_a_ride_is_due_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let (monday, tuesday) = ("2026-01-05".parse().unwrap(), "2026-01-06".parse().unwrap());
        let mut told = Told::new("2026-01-05T23:59:50Z");
        told.flush(&store, 5, TimeDelta::zero(), Some(EndReason::Idle));
        run(&store, monday).unwrap();
        told.flush(&store, 5, TimeDelta::minutes(2), Some(EndReason::Idle));
        run(&store, tuesday).unwrap();
        let due: Vec<NaiveDate> = store.late_days().unwrap().into_iter().collect();
        assert_eq!(due, [monday], "its tables still count the ride");
        run(&store, monday).unwrap();
        assert!(store.late_days().unwrap().is_empty());
    }
}
