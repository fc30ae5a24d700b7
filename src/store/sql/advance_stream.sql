update ops.stream
set next_offset = $4,
    log_clock = greatest(log_clock, $5),
    flushed_at = $6
where source = $1 and topic = $2 and partition = $3
