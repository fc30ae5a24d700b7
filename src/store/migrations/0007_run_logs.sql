-- What a run logged: a JSON array of its newest lines.
create table ops.job_run_log (run_id uuid not null, lines varchar not null);
