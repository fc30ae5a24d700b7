-- The runs of a job for a window, newest first.
select
    run_id::varchar, job, "window", attempt, reason, epoch_us(scheduled_at), epoch_us(started_at), epoch_us(finished_at),
    outcome, counts, error
from ops.job_run
where job = $job and "window" = $window
order by started_at desc, run_id desc
limit $limit
