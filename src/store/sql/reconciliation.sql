-- What became of every message, by partition: the kinds add up to the messages.
select
    messages, ride_lines, telemetry_lines, user_data_lines, system_lines, marker_lines, duplicate_lines,
    tombstoned_lines, rejected_lines, readings, duplicate_readings, source, topic, partition
from ops.stream
order by flushed_at desc, source, topic, partition
