-- Why an account at Peloton was not read when it was tried last; whoever was has no row.
create table ops.peloton_failure (
    rider_name varchar not null, failed_at timestamptz not null, reason varchar not null, needs_a_person boolean not null,
    not_before timestamptz
);
