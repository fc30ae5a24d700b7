-- The day's rides by their mean power, in bins of 20 W.
-- Grain: one row per business day and bin that has rides; a bin holds power_watts_from <= mean < power_watts_from + 20.
-- Units: watts. Rides without a power value are in no bin.
with binned as (
    select
        cast(floor(power_watts_mean / 20) * 20 as bigint) as power_watts_from,
        rider_id
    from ride
    where business_day = :day and power_watts_mean is not null
)

select
    power_watts_from,
    count(*) as rides,
    count(distinct rider_id) as riders
from binned
group by power_watts_from
order by power_watts_from
