-- The newest run of each job and business day from a day on, for the grid. Windows that are no day are left out.
select job, "window", outcome, max(attempt) over (partition by job, "window") as attempts, run_id::varchar, error
from ops.job_run
where length("window") = 10
    and "window" >= $first_day
qualify row_number() over (partition by job, "window" order by started_at desc, run_id desc) = 1
order by job, "window"
