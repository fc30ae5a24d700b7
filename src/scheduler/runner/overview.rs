//! The jobs as people see them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::plan::{late, next_run},
    Runner,
};
use crate::{
    config::schedule::JobConfig,
    domain::run::{JobOverview, LastOverview, OpenWindow},
};

impl Runner {
    /// Every job: what it is, what it did last, when it runs next.
    #[must_use]
    pub fn overview(&self) -> Vec<JobOverview> {
        let now = self.inner.clock.now();
        let schedule = self.schedule();
        let state = self.lock();
        let overview = |job: &JobConfig| {
            let history = state.view.jobs.get(&job.name);
            let newest = history.and_then(|history| history.windows.iter().max_by_key(|(_, last)| last.started_at));
            JobOverview {
                name: job.name.clone(),
                kind: job.kind.name(),
                every: (!job.is_sub_day()).then_some(job.every),
                when: job.when(),
                enabled: job.enabled,
                next_run_at: next_run(&schedule, job, now),
                running: state.running.get(&job.name).map(|running| running.window.to_string()),
                last_run: newest.map(|(window, last)| LastOverview {
                    window: *window,
                    outcome: last.outcome,
                    attempt: last.attempt,
                    started_at: last.started_at,
                    finished_at: last.finished_at,
                }),
                last_idle_at: history.and_then(|history| history.last_idle_at),
                idle_runs: history.map_or(0, |history| history.idle_runs),
            }
        };
        schedule.jobs.iter().map(overview).collect()
    }

    /// What is due, waits or is late, of the jobs that are about days; by the rides that there were when it was planned last.
    #[must_use]
    pub fn open_windows(&self) -> Vec<OpenWindow> {
        let now = self.inner.clock.now();
        let schedule = self.schedule();
        let state = self.lock();
        let planned = self.planned(&state);
        let late: BTreeSet<_> = late(&schedule, &state.view, now)
            .into_iter()
            .map(|(job, window, _)| (job.name.clone(), window))
            .collect();
        drop(state);
        let due = planned
            .due
            .into_iter()
            .map(|due| (due.job, due.window, "due now".to_owned()));
        let waiting = planned.waiting.into_iter();
        let waiting = waiting.map(|waiting| (waiting.job, waiting.window, waiting.on.to_string()));
        let mut open: BTreeMap<_, _> = late
            .iter()
            .map(|late| (late.clone(), "its deadline has passed".to_owned()))
            .collect();
        let all = due.chain(waiting).filter(|(_, window, _)| window.instant().is_none());
        open.extend(all.map(|(job, window, stands)| ((job, window), stands)));
        let open = open.into_iter().map(|((job, window), stands)| {
            let is_late = late.contains(&(job.clone(), window));
            OpenWindow {
                job,
                window,
                stands,
                is_late,
            }
        });
        open.collect()
    }
}
