-- Grain: one row per job and window: its latest run, how many of its tries failed, when its latest success began and ended,
-- and whether any run of it answered a firing, rather than a person's wish.
-- Of windows that are instants, only the few of a job that ran last: their keys are longer than ten characters, a day's, a week's and
-- a month's are not.
with
latest as (
    select *
    from ops.job_run
    qualify row_number() over (partition by job, "window" order by started_at desc, attempt desc, run_id desc) = 1
),
done as (
    select job, "window", max(started_at) as started_at, arg_max(finished_at, started_at) as finished_at
    from ops.job_run
    where outcome = 'succeeded'
    group by job, "window"
),
first_try as (
    select job, "window", max(started_at) as first_at
    from ops.job_run
    where attempt = 1
    group by job, "window"
),
tries as (
    -- Counted from the latest first try on.
    select
        run.job, run."window",
        count(*) filter (where run.outcome = 'failed' and run.started_at >= coalesce(first_at, run.started_at)) as failures
    from ops.job_run as run
    left join first_try using (job, "window")
    group by run.job, run."window"
),
fired as (
    select distinct job, "window", true as is_firing
    from ops.job_run
    where reason in ('schedule', 'catch_up')
)
select
    latest.job, latest."window", latest.attempt, latest.outcome, latest.scheduled_at, latest.started_at,
    latest.finished_at, done.started_at, done.finished_at, coalesce(fired.is_firing, false), tries.failures
from latest
left join tries using (job, "window")
left join done using (job, "window")
left join fired using (job, "window")
qualify length("window") <= 10 or row_number() over (partition by job, length("window") <= 10 order by latest.started_at desc) <= 50
