-- Finished days, newest first.
select business_day::varchar, epoch_us(sealed_at), ride_count, reading_count, seal_count
from ops.sealed_day
where ($before::date is null or business_day < $before::date)
order by business_day desc
limit $limit
