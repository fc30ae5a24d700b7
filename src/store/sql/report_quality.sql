-- How good the day's data is, with the lines that were rejected between two instants.
select
    readings, dropout_seconds, flagged_readings, partial_rides, idle_rides, alerts,
    (
        select count(*)
        from daily.rejected_line
        where received_at >= make_timestamptz(?::bigint) and received_at < make_timestamptz(?::bigint)
    ) as rejected_lines
from historical.daily_quality
where business_day = ?
