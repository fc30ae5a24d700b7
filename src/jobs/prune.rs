//! Deletes from the buffer what history holds, and what old runs logged.

use anyhow::Result;
use chrono::{Days, NaiveDate, TimeDelta};

use crate::{domain::run::JobStatus, store::Store};

/// Prunes the buffer so that, of the days up to `day`, the newest `keep_days` stay in it, and the logs of runs that began
/// more than `keep_log_days` ago. The status counts `days`, `rides` and `readings` deleted, and `run_logs`.
///
/// # Errors
/// When history does not hold what it should; nothing of that day is deleted then.
pub fn run(store: &Store, day: NaiveDate, keep_days: u32, keep_log_days: u32) -> Result<JobStatus> {
    let run_logs = store.prune_run_logs(store.clock().now() - TimeDelta::days(i64::from(keep_log_days)))?;
    let last = day - Days::new(u64::from(keep_days));
    let pruned = store.prune(last)?;
    Ok(JobStatus::done()
        .count("days", pruned.days)
        .count("rides", pruned.rides)
        .count("readings", pruned.readings)
        .count("run_logs", run_logs))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::run::LogLine,
        store::{fixture::open, ledger::NewRun},
    };

    #[test]
    fn what_old_runs_logged_goes_and_that_they_ran_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let now = store.clock().now();
        let line = LogLine {
            at: now,
            level: "info".to_owned(),
            message: "done".to_owned(),
        };
        for (id, days) in [(1, 31), (2, 29)] {
            let at = now - TimeDelta::days(days);
            let run = NewRun {
                run_id: Uuid::from_u128(id),
                job: "report",
                window: "2026-01-05".parse().unwrap(),
                attempt: 1,
                reason: "schedule",
                scheduled_at: at,
                started_at: at,
            };
            store.start_run(run).unwrap();
            store.keep_run_log(run.run_id, std::slice::from_ref(&line)).unwrap();
        }
        let status = run(&store, "2026-01-04".parse().unwrap(), 2, 30).unwrap();
        assert_eq!(status.counts["run_logs"], 1);
        let log = |id| store.run_log(Uuid::from_u128(id)).unwrap().len();
        assert_eq!((log(1), log(2)), (0, 1));
        assert_eq!(store.job_runs(None, 9).unwrap().len(), 2);
    }
}
