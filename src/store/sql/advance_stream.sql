-- Where partitions stand now: `$4` has a `partition,next offset,log clock,missing offsets` for each, semicolons between.
update ops.stream
set next_offset = reached.next_offset,
    log_clock = greatest(stream.log_clock, reached.log_clock),
    flushed_at = $3,
    missing_offsets = stream.missing_offsets + reached.missing_offsets
from (
    select
        cast(field[1] as integer) as partition,
        cast(field[2] as bigint) as next_offset,
        make_timestamptz(cast(nullif(field[3], '') as bigint)) as log_clock,
        cast(field[4] as bigint) as missing_offsets
    from (select string_split(unnest(string_split($4, ';')), ',') as field)
) as reached
where stream.source = $1 and stream.topic = $2 and stream.partition = reached.partition
