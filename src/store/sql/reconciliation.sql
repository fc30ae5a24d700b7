-- What became of every message, by partition: the kinds add up to the messages.
select
    coalesce(sum(messages), 0)::bigint, coalesce(sum(ride_lines), 0)::bigint,
    coalesce(sum(telemetry_lines), 0)::bigint, coalesce(sum(user_data_lines), 0)::bigint,
    coalesce(sum(system_lines), 0)::bigint, coalesce(sum(marker_lines), 0)::bigint,
    coalesce(sum(duplicate_lines), 0)::bigint, coalesce(sum(tombstoned_lines), 0)::bigint,
    coalesce(sum(rejected_lines), 0)::bigint, coalesce(sum(readings), 0)::bigint,
    coalesce(sum(duplicate_readings), 0)::bigint, source, topic, partition,
    any_value(missing_offsets)
from ops.stream
left join ops.line_count using (source, topic, partition)
group by source, topic, partition
order by any_value(flushed_at) desc, source, topic, partition
