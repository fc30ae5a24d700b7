-- Whose lines were set aside.
select distinct source, topic, partition, bike_serial
from daily.rejected_line
where $1 is null or topic = $1
order by all
