-- How good the day's data is, and how the messages of the day were accounted for.
select
    readings, dropout_seconds, flagged_readings, partial_rides, idle_rides, alerts,
    messages, ride_lines, telemetry_lines, user_data_lines, system_lines, marker_lines, duplicate_lines,
    tombstoned_lines, rejected_lines
from historical.daily_quality
cross join (
    select
        coalesce(sum(messages), 0)::bigint as messages,
        coalesce(sum(ride_lines), 0)::bigint as ride_lines,
        coalesce(sum(telemetry_lines), 0)::bigint as telemetry_lines,
        coalesce(sum(user_data_lines), 0)::bigint as user_data_lines,
        coalesce(sum(system_lines), 0)::bigint as system_lines,
        coalesce(sum(marker_lines), 0)::bigint as marker_lines,
        coalesce(sum(duplicate_lines), 0)::bigint as duplicate_lines,
        coalesce(sum(tombstoned_lines), 0)::bigint as tombstoned_lines,
        coalesce(sum(rejected_lines), 0)::bigint as rejected_lines
    from ops.line_count
    where business_day = $1
)
where business_day = $1
