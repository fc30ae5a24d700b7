delete from daily.rejected_line
where source = $1 and topic = $2 and partition = $3
    and "offset" in (select cast(unnest(string_split($4, ',')) as bigint))
