-- The day's rides by the postcode area of the rider's address: the letters that the postcode begins with.
-- Grain: one row per business day and area that has rides; `unknown` where the address has none.
-- Units: seconds, kilojoules.
-- Sums go through decimals, so that they do not depend on the order in which rows are added.
with placed as (
    select
        coalesce(rider.postcode_area, 'unknown') as postcode_area,
        ride.rider_id,
        ride.duration_seconds,
        ride.energy_kilojoules
    from ride
    left join rider_of_day as rider on ride.rider_id = rider.rider_id and rider.business_day = :day
    where ride.business_day = :day
)

select
    postcode_area,
    count(*) as rides,
    count(distinct rider_id) as riders,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules
from placed
group by postcode_area
