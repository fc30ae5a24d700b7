delete from ops.checkpoint
where source = $1 and topic = $2 and partition in (select cast(unnest(string_split($3, ',')) as integer))
