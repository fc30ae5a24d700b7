-- The day's rides by how the rider came to us: `direct`, `google ads` and so on, as the account says.
-- Grain: one row per business day and channel that has rides; `unknown` where the account names none, or the ride has no
-- rider.
-- Units: seconds, kilojoules.
-- Sums go through decimals, so that they do not depend on the order in which rows are added.
with reached as (
    select
        coalesce(lower(trim(rider.original_source)), 'unknown') as channel,
        ride.rider_id,
        ride.duration_seconds,
        ride.energy_kilojoules
    from ride
    left join rider_of_day as rider on ride.rider_id = rider.rider_id and rider.business_day = :day
    where ride.business_day = :day
)

select
    channel,
    count(*) as rides,
    count(distinct rider_id) as riders,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules
from reached
group by channel
