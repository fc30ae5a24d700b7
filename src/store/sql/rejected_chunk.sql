-- A bike's next rejected lines after an offset: as many as a transaction may hold, and at least one.
with following as (
    select
        "offset", raw, written_at, received_at, business_day,
        sum(octet_length(raw)) over (order by "offset" rows unbounded preceding) as bytes,
        row_number() over (order by "offset") as line
    from daily.rejected_line
    where source = $1 and topic = $2 and partition = $3 and bike_serial is not distinct from $4 and "offset" > $5
        -- Of what was erased there is no text.
        and octet_length(raw) > 0
)

select "offset", raw, epoch_us(written_at), epoch_us(received_at), cast(business_day as varchar)
from following
where line = 1 or (bytes <= $6 and line <= $7)
order by "offset"
