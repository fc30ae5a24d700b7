-- Adds to the counts of partitions and days: `$3` has a `partition,day,messages,…` for each, in the table's order,
-- semicolons between.
update ops.line_count
set messages = messages + cast(field[3] as bigint),
    ride_lines = ride_lines + cast(field[4] as bigint),
    telemetry_lines = telemetry_lines + cast(field[5] as bigint),
    user_data_lines = user_data_lines + cast(field[6] as bigint),
    system_lines = system_lines + cast(field[7] as bigint),
    marker_lines = marker_lines + cast(field[8] as bigint),
    duplicate_lines = duplicate_lines + cast(field[9] as bigint),
    tombstoned_lines = tombstoned_lines + cast(field[10] as bigint),
    rejected_lines = rejected_lines + cast(field[11] as bigint),
    readings = readings + cast(field[12] as bigint),
    duplicate_readings = duplicate_readings + cast(field[13] as bigint)
from (select string_split(unnest(string_split($3, ';')), ',') as field)
where line_count.source = $1 and line_count.topic = $2
    and line_count.partition = cast(field[1] as integer)
    and line_count.business_day is not distinct from cast(nullif(field[2], '') as date)
