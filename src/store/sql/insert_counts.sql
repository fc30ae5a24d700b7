-- The same for partitions and days of which nothing was counted yet.
insert into ops.line_count
select
    $1, $2, cast(field[1] as integer) as partition, cast(nullif(field[2], '') as date) as business_day,
    cast(field[3] as bigint), cast(field[4] as bigint), cast(field[5] as bigint), cast(field[6] as bigint),
    cast(field[7] as bigint), cast(field[8] as bigint), cast(field[9] as bigint), cast(field[10] as bigint),
    cast(field[11] as bigint), cast(field[12] as bigint), cast(field[13] as bigint)
from (select string_split(unnest(string_split($3, ';')), ',') as field)
where not exists (
    select 1
    from ops.line_count as counted
    where counted.source = $1 and counted.topic = $2
        and counted.partition = cast(field[1] as integer)
        and counted.business_day is not distinct from cast(nullif(field[2], '') as date)
)
