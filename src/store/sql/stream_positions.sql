select
    stream.partition, stream.next_offset, stream.taken_over_until, checkpoint.next_offset, checkpoint.replay_from,
    checkpoint.state, stream.counted_until
from ops.stream as stream
left join ops.checkpoint as checkpoint
    on checkpoint.source = stream.source
    and checkpoint.topic = stream.topic
    and checkpoint.partition = stream.partition
where stream.source = ? and stream.topic = ?
order by stream.partition
