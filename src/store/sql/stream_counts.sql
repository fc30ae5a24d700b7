select
    coalesce(sum(messages), 0)::bigint, coalesce(sum(ride_lines), 0)::bigint,
    coalesce(sum(telemetry_lines), 0)::bigint, coalesce(sum(user_data_lines), 0)::bigint,
    coalesce(sum(system_lines), 0)::bigint, coalesce(sum(marker_lines), 0)::bigint,
    coalesce(sum(duplicate_lines), 0)::bigint, coalesce(sum(tombstoned_lines), 0)::bigint,
    coalesce(sum(rejected_lines), 0)::bigint, coalesce(sum(readings), 0)::bigint,
    coalesce(sum(duplicate_readings), 0)::bigint
from ops.line_count
where source = ? and topic = ?
