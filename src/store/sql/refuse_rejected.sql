-- Why lines still cannot be read, where the reason is another than before.
update daily.rejected_line
set reason = $5
where source = $1 and topic = $2 and partition = $3
    and "offset" in (select cast(unnest(string_split($4, ',')) as bigint)) and reason <> $5
