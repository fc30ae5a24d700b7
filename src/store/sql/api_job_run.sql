-- One run.
select
    run_id::varchar, job, "window", attempt, reason, epoch_us(scheduled_at), epoch_us(started_at), epoch_us(finished_at),
    outcome, counts, error
from ops.job_run
where run_id = $run_id::uuid
