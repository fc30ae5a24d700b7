update ops.stream
set counted_until = greatest(counted_until, next_offset),
    next_offset = $4,
    taken_over_until = $5,
    flushed_at = $6
where source = $1 and topic = $2 and partition = $3
