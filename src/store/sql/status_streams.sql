-- Where each partition stands and what became of its messages, the one written last first.
select
    source, topic, partition, any_value(next_offset), epoch_us(any_value(log_clock)), epoch_us(any_value(flushed_at)),
    coalesce(sum(messages), 0)::bigint, coalesce(sum(readings), 0)::bigint,
    coalesce(sum(duplicate_readings), 0)::bigint, coalesce(sum(duplicate_lines), 0)::bigint,
    coalesce(sum(rejected_lines), 0)::bigint
from ops.stream
left join ops.line_count using (source, topic, partition)
group by source, topic, partition
order by any_value(flushed_at) desc, source, topic, partition
