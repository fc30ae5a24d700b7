-- The newest run of each job and window that is a day, a week or a month, from a window on, for the grid. Keys of instants
-- are longer.
select job, "window", outcome, max(attempt) over (partition by job, "window") as attempts, run_id::varchar, error
from ops.job_run
where length("window") <= 10
    and "window" >= $from
qualify row_number() over (partition by job, "window" order by started_at desc, run_id desc) = 1
order by job, "window"
