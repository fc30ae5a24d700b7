-- The run ledger, newest first.
select
    run_id::varchar, job, "window", attempt, reason, epoch_us(scheduled_at), epoch_us(started_at), epoch_us(finished_at),
    outcome, counts, error
from ops.job_run
where ($job::varchar is null or job = $job::varchar)
    and ($before::timestamptz is null or (started_at, run_id) < ($before::timestamptz, $before_id::uuid))
order by started_at desc, run_id desc
limit $limit
