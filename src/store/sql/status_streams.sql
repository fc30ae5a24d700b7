-- Where each partition stands and what became of its messages, the one written last first.
select
    source, topic, partition, next_offset, epoch_us(log_clock), epoch_us(flushed_at), messages, readings,
    duplicate_readings, duplicate_lines, rejected_lines
from ops.stream
order by flushed_at desc, source, topic, partition
