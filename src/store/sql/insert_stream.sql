-- The same for those of which nothing is written down yet.
insert into ops.stream
select $1, $2, cast(field[1] as integer), cast(field[2] as bigint), make_timestamptz(cast(nullif(field[3], '') as bigint)), $3, null,
    cast(field[4] as bigint), 0
from (select string_split(unnest(string_split($4, ';')), ',') as field)
where cast(field[1] as integer) not in (select partition from ops.stream where source = $1 and topic = $2)
