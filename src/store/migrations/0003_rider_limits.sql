-- What was settled for single riders: limits that win over those by age, and whether alerts are mailed to them.
create table ops.rider_limit (
    rider_id bigint primary key, lower_bpm integer, upper_bpm integer, is_mailed boolean not null,
    set_at timestamptz not null
);
