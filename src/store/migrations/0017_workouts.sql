-- Peloton workouts. Their resistance is a percentage and their riders are names: they are no rides of ours.
create table historical.workout (
    workout_id uuid not null, rider_name varchar not null, peloton_workout_id varchar, source varchar not null,
    started_at timestamptz not null, started_local timestamp not null, start_precision varchar not null,
    discipline varchar not null, kind varchar not null, class_type varchar, title varchar, instructor varchar,
    class_seconds integer, ridden_seconds integer, is_live boolean, class_aired_at timestamptz,
    is_personal_record boolean, leaderboard_rank integer, leaderboard_riders integer,
    total_output_kilojoules double, power_watts_mean double, resistance_percent_mean double, cadence_rpm_mean double,
    speed_metres_per_second_mean double, distance_metres double, energy_kilocalories double, heart_rate_bpm_mean double,
    incline_percent_mean double, pace_seconds_per_kilometre_mean double, effort_points double, ftp_watts double,
    graph_coverage double
);

-- The course of workouts, a row a step; steps in which nothing was measured are not there.
create table historical.workout_sample (
    workout_id uuid not null, second integer not null, power_watts double, cadence_rpm double, resistance_percent double,
    speed_metres_per_second double, heart_rate_bpm double, incline_percent double, stroke_rate_spm double
);

-- What it takes to know a deleted workout again, so that it stays deleted.
create table ops.deleted_workout (
    workout_id uuid not null, rider_name varchar not null, peloton_workout_id varchar, source varchar not null,
    started_at timestamptz not null, started_local timestamp not null, start_precision varchar not null,
    discipline varchar not null, kind varchar not null, title varchar, class_seconds integer,
    deleted_at timestamptz not null, was_deleted_at_peloton boolean not null
);

-- Whose account a rider has at Peloton, and the start of the newest workout up to which all of them are here.
create table ops.peloton_account (
    rider_name varchar not null, peloton_user_id varchar not null, watermark timestamptz not null
);

-- The days of which there is a daily file of workouts, and whether it is to be written anew.
create table ops.workout_file (day date not null, is_stale boolean not null);
