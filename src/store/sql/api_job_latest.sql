-- The newest run of each job.
select
    run_id::varchar, job, "window", attempt, reason, epoch_us(scheduled_at), epoch_us(started_at), epoch_us(finished_at),
    outcome, counts, error
from ops.job_run
qualify row_number() over (partition by job order by started_at desc, run_id desc) = 1
order by job
