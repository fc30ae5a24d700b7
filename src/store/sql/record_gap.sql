insert into ops.gap
select $1, $2, $3, $4, $5, $6
where not exists (
    select 1 from ops.gap
    where source = $1 and topic = $2 and partition = $3 and from_offset = $4 and to_offset = $5
)
