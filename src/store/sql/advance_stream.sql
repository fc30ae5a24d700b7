update ops.stream
set next_offset = $4,
    log_clock = greatest(log_clock, $5),
    flushed_at = $6,
    messages = messages + $7,
    ride_lines = ride_lines + $8,
    telemetry_lines = telemetry_lines + $9,
    user_data_lines = user_data_lines + $10,
    system_lines = system_lines + $11,
    marker_lines = marker_lines + $12,
    duplicate_lines = duplicate_lines + $13,
    tombstoned_lines = tombstoned_lines + $14,
    rejected_lines = rejected_lines + $15,
    readings = readings + $16,
    duplicate_readings = duplicate_readings + $17
where source = $1 and topic = $2 and partition = $3
