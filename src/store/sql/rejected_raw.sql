select topic, partition, "offset", epoch_us(received_at), reason, bike_serial, raw
from daily.rejected_line
where partition = $1 and "offset" = $2
order by received_at, topic
