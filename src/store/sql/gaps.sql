select partition, from_offset, to_offset from ops.gap where source = $1 and topic = $2 order by found_at, partition
