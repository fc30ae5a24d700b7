-- Schemas: what is being ridden, what has been, and how the program keeps its word.
create schema daily;
create schema historical;
create schema ops;

-- ── daily: the buffer, written by ingest, one transaction a flush ───────────────────────────────────────────────

create table daily.ride (
    ride_id uuid not null, business_day date, bike_serial varchar not null, rider_id bigint,
    started_at timestamptz not null, ended_at timestamptz, end_reason varchar, is_partial boolean not null,
    duration_seconds integer not null, reading_count integer not null, energy_kilojoules double not null,
    power_watts_mean double, power_watts_max double,
    heart_rate_bpm_mean double, heart_rate_bpm_min integer, heart_rate_bpm_max integer,
    dropout_seconds integer not null, cadence_rpm_mean double, cadence_rpm_max integer,
    resistance_mean double, resistance_max integer, flagged_readings integer not null, alert_count integer not null
);

create table daily.reading (
    ride_id uuid not null, second integer not null, "at" timestamptz not null,
    resistance integer, heart_rate_bpm integer, is_dropout boolean not null,
    cadence_rpm integer, power_watts double, is_flagged boolean not null
);

-- One row each time a header says something new of a rider.
create table daily.rider (
    rider_id bigint not null, seen_at timestamptz not null, name varchar, gender varchar not null, address varchar,
    date_of_birth date, email_address varchar, height_cm integer, weight_kg integer,
    account_created_on date, original_source varchar
);

create table daily.alert (
    ride_id uuid not null, rider_id bigint not null, raised_at timestamptz not null, second integer not null,
    direction varchar not null, level integer not null, heart_rate_bpm integer not null,
    limit_bpm integer not null, limit_source varchar not null, sustained_seconds integer not null
);

-- Lines that could not be understood: kept, with the reason, until a person looks.
create table daily.rejected_line (
    source varchar not null, topic varchar not null, partition integer not null, "offset" bigint not null,
    received_at timestamptz not null, raw blob not null, reason varchar not null
);

-- ── historical: what compaction and the transforms made, one row set per day ────────────────────────────────────

create table historical.ride as from daily.ride;
create table historical.alert as select null::date as business_day, alert.* from daily.alert;

-- A rider as they were from one header to the next: `valid_to` is null for what holds now.
create table historical.rider (
    rider_id bigint not null, valid_from timestamptz not null, valid_to timestamptz, name varchar,
    gender varchar not null, address varchar, date_of_birth date, email_address varchar, height_cm integer,
    weight_kg integer, account_created_on date, original_source varchar
);

-- ── ops: offsets, ledgers, files ────────────────────────────────────────────────────────────────────────────────

-- Where each partition stands, and how its messages were accounted for, as of the last flush.
create table ops.stream (
    source varchar not null, topic varchar not null, partition integer not null,
    next_offset bigint not null, log_clock timestamptz, flushed_at timestamptz not null,
    messages bigint not null, ride_lines bigint not null, telemetry_lines bigint not null,
    user_data_lines bigint not null, system_lines bigint not null, marker_lines bigint not null,
    duplicate_lines bigint not null, tombstoned_lines bigint not null, rejected_lines bigint not null,
    readings bigint not null, duplicate_readings bigint not null
);

-- What the open rides of a partition looked like at `next_offset`: a restart loads it and replays the rest silently.
create table ops.checkpoint (
    source varchar not null, topic varchar not null, partition integer not null,
    next_offset bigint not null, written_at timestamptz not null, state blob not null
);

create table ops.sealed_day (
    business_day date not null, sealed_at timestamptz not null, ride_count bigint not null,
    reading_count bigint not null, seal_count integer not null
);

create table ops.lake_file (
    table_name varchar not null, business_day date not null, shard integer not null, path varchar not null,
    content_hash varchar not null, size_bytes bigint not null, row_count bigint not null
);

create table ops.job_run (
    run_id uuid not null, job varchar not null, "window" varchar not null, attempt integer not null,
    reason varchar not null, scheduled_at timestamptz not null, started_at timestamptz not null,
    finished_at timestamptz, outcome varchar not null, counts varchar, error varchar
);

-- The first sight of a job starts its history; runs that found nothing to do are only counted.
create table ops.job (
    job varchar primary key, first_seen_at timestamptz not null, idle_runs bigint not null, last_idle_at timestamptz
);

-- The send ledger: written before the call, one row per (kind, topic, recipient) for ever.
create table ops.outbox (
    message_id uuid not null, kind varchar not null, topic varchar not null, recipient varchar not null,
    state varchar not null, subject varchar not null, content_hash varchar not null, payload blob not null,
    created_at timestamptz not null, attempts integer not null, attempted_at timestamptz, settled_at timestamptz,
    detail varchar, primary key (kind, topic, recipient)
);

create table ops.publication (
    target varchar not null, published_at timestamptz not null, run_id uuid, written bigint not null,
    unchanged bigint not null, deleted bigint not null
);
