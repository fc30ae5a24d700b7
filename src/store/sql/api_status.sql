-- Where the pipeline stands, one row.
select
    (select coalesce(sum(messages), 0)::bigint from ops.line_count) as messages,
    (select coalesce(sum(readings), 0)::bigint from ops.line_count) as readings,
    (select count(*) from ops.stream) as partitions,
    (select epoch_us(max(log_clock)) from ops.stream) as log_clock,
    (select epoch_us(max(flushed_at)) from ops.stream) as flushed_at,
    (select count(*) from daily.ride) as buffer_rides,
    (select count(*) from daily.ride where ended_at is null) as open_rides,
    (select count(*) from daily.reading) as buffer_readings,
    (select count(*) from daily.rejected_line) as rejected_lines,
    (select count(*) from ops.sealed_day) as sealed_days,
    (select max(business_day)::varchar from ops.sealed_day) as last_sealed_day,
    (select coalesce(sum(ride_count), 0)::bigint from ops.sealed_day) as sealed_rides,
    (select epoch_us(max(published_at)) from ops.publication) as published_at,
    (
        select count(*) from ops.outbox where state in ('waiting', 'sending') and not starts_with(kind, 'ride_')
    ) as messages_waiting,
    (select count(*) from ops.outbox where not starts_with(kind, 'ride_')) as messages_total,
    (select count(*) from ops.job_run where outcome = 'running') as jobs_running
