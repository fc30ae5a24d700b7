-- Rejected lines that are in place now are counted as what they are.
update ops.stream
set ride_lines = ride_lines + $4,
    telemetry_lines = telemetry_lines + $5,
    user_data_lines = user_data_lines + $6,
    system_lines = system_lines + $7,
    marker_lines = marker_lines + $8,
    duplicate_lines = duplicate_lines + $9,
    tombstoned_lines = tombstoned_lines + $10,
    rejected_lines = rejected_lines - $11,
    readings = readings + $12,
    duplicate_readings = duplicate_readings + $13
where source = $1 and topic = $2 and partition = $3
