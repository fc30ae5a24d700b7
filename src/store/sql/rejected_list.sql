-- Rejected lines, the newest first; $2 to $4 are the place in the list of the last one shown.
select topic, partition, "offset", epoch_us(received_at), reason, bike_serial
from daily.rejected_line
where
    ($1 is null or topic = $1)
    and ($2 is null or (epoch_us(received_at), partition, "offset") < ($2::bigint, $3::integer, $4::bigint))
order by received_at desc, partition desc, "offset" desc
limit $5
