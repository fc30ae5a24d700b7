-- Of the rides in the buffer that the stream told of: rides, readings and rides joined midway, by business day.
select
    cast(business_day as varchar), count(*), sum(reading_count)::bigint, count(*) filter (where is_partial)
from daily.ride
where ride_id in (select ride_id from ops.ride_source where source = $1 and topic = $2)
group by business_day
order by business_day
