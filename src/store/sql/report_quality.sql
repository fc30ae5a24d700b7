-- How good the data of each day is, and how the messages of the day were accounted for.
select
    business_day, readings, dropout_seconds, flagged_readings, partial_rides, idle_rides, alerts,
    coalesce(messages, 0), coalesce(ride_lines, 0), coalesce(telemetry_lines, 0), coalesce(user_data_lines, 0),
    coalesce(system_lines, 0), coalesce(marker_lines, 0), coalesce(duplicate_lines, 0), coalesce(tombstoned_lines, 0),
    coalesce(rejected_lines, 0)
from historical.daily_quality
left join (
    select
        business_day,
        sum(messages)::bigint as messages,
        sum(ride_lines)::bigint as ride_lines,
        sum(telemetry_lines)::bigint as telemetry_lines,
        sum(user_data_lines)::bigint as user_data_lines,
        sum(system_lines)::bigint as system_lines,
        sum(marker_lines)::bigint as marker_lines,
        sum(duplicate_lines)::bigint as duplicate_lines,
        sum(tombstoned_lines)::bigint as tombstoned_lines,
        sum(rejected_lines)::bigint as rejected_lines
    from ops.line_count
    where business_day between $1 and $2
    group by business_day
) using (business_day)
where business_day between $1 and $2
