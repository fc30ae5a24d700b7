select
    cast(business_day as varchar), count(*), sum(reading_count)::bigint, count(*) filter (where is_partial)
from daily.ride
group by business_day
order by business_day
