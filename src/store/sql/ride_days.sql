-- Of the buffered rides (a list of ids, in text): rides, readings and rides joined midway, by business day.
with asked as (
    select cast(unnest(string_split($1, ',')) as uuid) as ride_id
)

select
    cast(business_day as varchar), count(*), sum(reading_count)::bigint, count(*) filter (where is_partial)
from daily.ride
where ride_id in (select ride_id from asked)
group by business_day
order by business_day
