-- The day's rides by the rider's gender: female, male, other, unknown.
-- Grain: one row per business day and gender that has rides.
-- Units: seconds, kilojoules, watts, beats a minute; means are over rides that have the value.
-- Unknown: the header gave none, or the ride has no rider.
-- Sums and means go through decimals, so that they do not depend on the order in which rows are added.
with gendered as (
    select
        coalesce(rider.gender, 'unknown') as gender,
        ride.rider_id,
        ride.duration_seconds,
        ride.energy_kilojoules,
        ride.power_watts_mean,
        ride.heart_rate_bpm_mean
    from ride
    left join rider_of_day as rider on ride.rider_id = rider.rider_id and rider.business_day = :day
    where ride.business_day = :day
)

select
    gender,
    count(*) as rides,
    count(distinct rider_id) as riders,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules,
    cast(avg(cast(power_watts_mean as decimal(18, 6))) as double) as power_watts_mean,
    cast(avg(cast(heart_rate_bpm_mean as decimal(18, 6))) as double) as heart_rate_bpm_mean
from gendered
group by gender
