select topic, partition, "offset", strftime(received_at, '%Y-%m-%d %H:%M:%S'), reason
from daily.rejected_line
order by received_at desc, partition, "offset" desc
limit $1
