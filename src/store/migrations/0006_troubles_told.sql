-- How far somebody was told what went wrong with a job: its failures up to an instant, its deadlines up to another.
create table ops.job_told (
    job varchar primary key, failures_told_at timestamptz, deadlines_told_until timestamptz
);
