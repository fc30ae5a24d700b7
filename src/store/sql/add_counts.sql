update ops.line_count
set messages = messages + $5,
    ride_lines = ride_lines + $6,
    telemetry_lines = telemetry_lines + $7,
    user_data_lines = user_data_lines + $8,
    system_lines = system_lines + $9,
    marker_lines = marker_lines + $10,
    duplicate_lines = duplicate_lines + $11,
    tombstoned_lines = tombstoned_lines + $12,
    rejected_lines = rejected_lines + $13,
    readings = readings + $14,
    duplicate_readings = duplicate_readings + $15
where source = $1 and topic = $2 and partition = $3 and business_day is not distinct from $4
