//! What is going on right now, and how the machinery stands.

use std::{collections::BTreeMap, sync::Arc};

use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    ApiContext, Tag, default_limit,
    page::{cut, parse_cursor},
    problem::Refusal,
    schema::{AskedJobRun, Job, JobList, JobRun, JobRunDetail, JobRunList, Status},
};
use crate::{
    domain::{run::NotStarted, window::Window},
    store::{Store, query::ledger},
};

/// That a run was asked for.
#[derive(ApiResponse)]
pub(super) enum Started {
    /// It is made, or under way already.
    #[oai(status = 202)]
    Accepted(
        Json<AskedJobRun>,
        /// Where to look how it goes.
        #[oai(header = "Location")]
        String,
    ),
}

/// The operations on the machinery.
pub(super) struct Operations {
    /// What they need.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Operations")]
impl Operations {
    /// Get where the pipeline stands
    ///
    /// From the bikes to the people: stream, buffer, history, report and mail.
    #[oai(path = "/status", method = "get", operation_id = "get_status")]
    async fn status(&self) -> Result<Json<Status>, Refusal> {
        status(&self.context).await.map(Json)
    }

    /// List jobs
    ///
    /// In the order of the schedule, each with its newest run.
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs")]
    async fn jobs(&self) -> Result<Json<JobList>, Refusal> {
        let runs = self.context.read(ledger::latest_runs).await?;
        let mut runs: BTreeMap<_, _> = runs.into_iter().map(|run| (run.job.clone(), run)).collect();
        let jobs = self.context.jobs.overview().into_iter().map(|job| {
            let last_run = runs.remove(&job.name);
            Job::of(job, last_run)
        });
        Ok(Json(JobList {
            items: jobs.collect(),
            next: None,
        }))
    }

    /// List a job's runs
    ///
    /// Newest first. Runs that found nothing to do are counted, not kept.
    #[oai(path = "/jobs/:name/runs", method = "get", operation_id = "list_job_runs")]
    async fn job_runs(
        &self,
        /// The job's name in `cron.toml`.
        name: Path<String>,
        /// Most items in the answer.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<u32>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<JobRunList>, Refusal> {
        let before = match cursor
            .0
            .as_deref()
            .map(|text| text.split_once('_').unwrap_or((text, "")))
        {
            None => None,
            Some((at, id)) => Some((parse_cursor(at)?, parse_cursor(id)?)),
        };
        let is_known = self.context.jobs.overview().iter().any(|job| job.name == name.0);
        let (job, limit) = (name.0.clone(), limit.0);
        let mut runs = self
            .context
            .read(move |store| ledger::job_runs(store, Some(&job), before, limit + 1))
            .await?;
        if runs.is_empty() && before.is_none() && !is_known {
            return Err(Refusal::not_found("there is no such job; /api/v1/jobs lists them"));
        }
        let stamp = |run: &ledger::JobRun| {
            let at = run.started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            format!("{at}_{}", run.run_id)
        };
        let next = cut(&mut runs, limit).map(stamp);
        Ok(Json(JobRunList {
            items: runs.into_iter().map(JobRun::from).collect(),
            next,
        }))
    }

    /// Run a job
    ///
    /// After what is missing before it for the window. What comes after it, the schedule makes again where the run has
    /// changed something. The answer does not wait for the run: look at its `href`. What is asked for or under way already
    /// is not run twice: the answer names that run.
    #[oai(path = "/jobs/:name/runs", method = "post", operation_id = "start_job_run")]
    async fn start_run(
        &self,
        /// The job's name in `cron.toml`.
        name: Path<String>,
        /// The business day (`2026-11-21`), or for jobs that make those the ISO week (`2026-W47`) or month (`2026-11`), of
        /// which any day will do. Default: the last finished one.
        window: Query<Option<String>>,
        /// Let a mail go out that this comes after and that has not gone out yet.
        #[oai(default)]
        with_mail: Query<bool>,
    ) -> Result<Started, Refusal> {
        let window = window.0.map(|text| text.parse::<Window>()).transpose();
        let window = window.map_err(|error| Refusal::unsuitable(format!("`window`: {error}")))?;
        let (jobs, name, with_mail) = (Arc::clone(&self.context.jobs), name.0, with_mail.0);
        // Which days have rows is asked of the store.
        let started = tokio::task::spawn_blocking(move || jobs.start(&name, window, with_mail)).await;
        let started = started.map_err(|error| Refusal::internal(&anyhow::Error::new(error)))?;
        match started {
            Ok(run) => {
                let run = AskedJobRun::from(run);
                Ok(Started::Accepted(Json(run.clone()), run.href))
            }
            Err(NotStarted::NoSuchJob(why)) => Err(Refusal::not_found(why)),
            Err(NotStarted::Unsuited(why)) => Err(Refusal::unsuitable(why)),
        }
    }

    /// Get a run of a job
    ///
    /// With what it logged: its newest 200 lines, and those so far of one that is under way.
    #[oai(path = "/runs/:run_id", method = "get", operation_id = "get_run")]
    async fn run(
        &self,
        /// The run.
        run_id: Path<Uuid>,
    ) -> Result<Json<JobRunDetail>, Refusal> {
        let asked = self.context.jobs.asked(run_id.0);
        let run_id = asked.as_ref().and_then(|asked| asked.same_as).unwrap_or(run_id.0);
        let found = move |store: &Store| Ok((ledger::run(store, run_id)?, store.run_log(run_id)?));
        let (run, kept) = self.context.read(found).await?;
        let run = run
            .or(asked.map(ledger::JobRun::from))
            .ok_or_else(|| Refusal::not_found("there is no such run; /api/v1/jobs lists each job's newest"))?;
        let log = self.context.jobs.log_so_far(run_id).unwrap_or(kept);
        Ok(Json(JobRunDetail::of(run, log)))
    }
}

/// Where the pipeline stands.
pub(super) async fn status(context: &ApiContext) -> Result<Status, Refusal> {
    let standing = context.read(ledger::standing).await?;
    let stream = context.live.stream();
    Ok(Status {
        now: context.clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        today: context.today(),
        riding: context.live.riding() as u64,
        stream_is_connected: stream.is_connected,
        stream_trouble: stream.trouble,
        lag_messages: stream.lag_messages,
        messages: standing.messages,
        partitions: standing.partitions,
        newest_reading_at: context.live.newest_reading_at().max(standing.log_clock),
        flushed_at: standing.flushed_at,
        buffer_rides: standing.buffer_rides,
        open_rides: standing.open_rides,
        buffer_readings: standing.buffer_readings,
        rejected_lines: standing.rejected_lines,
        sealed_days: standing.sealed_days,
        last_sealed_day: standing.last_sealed_day,
        sealed_rides: standing.sealed_rides,
        published_at: standing.published_at,
        mails_waiting: standing.messages_waiting,
        mails: standing.messages_total,
        jobs_running: standing.jobs_running,
    })
}
