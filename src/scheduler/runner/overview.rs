//! The jobs as people see them.

use super::{super::plan::next_run, Runner};
use crate::{
    config::schedule::JobConfig,
    domain::run::{JobOverview, LastOverview},
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
}
