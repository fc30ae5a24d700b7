-- The day's headline figures.
-- Grain: one row per business day, also for a day without rides.
-- Units: seconds, kilojoules (Σ W·s / 1000), watts, beats a minute.
-- A ride counts on the day it ended in. Means and medians are over rides: each ride that has the value counts once,
-- whatever its length. They are null, never zero, where no ride has it. Riders are distinct people: rides whose rider
-- is unknown add none. A rider is new on the day of the first ride they ever finished.
-- Sums and means go through decimals, so that they do not depend on the order in which rows are added.
with day_ride as (
    select * from ride where business_day = :day
),

power_in_order as (
    select
        power_watts_mean,
        row_number() over (order by power_watts_mean) as place,
        count(*) over () as places
    from day_ride
    where power_watts_mean is not null
),

-- The middle value, or the mean of the two in the middle.
power_median as (
    select avg(power_watts_mean) as power_watts_median
    from power_in_order
    where 2 * place between places and places + 2
),

heart_rate_in_order as (
    select
        heart_rate_bpm_mean,
        row_number() over (order by heart_rate_bpm_mean) as place,
        count(*) over () as places
    from day_ride
    where heart_rate_bpm_mean is not null
),

heart_rate_median as (
    select avg(heart_rate_bpm_mean) as heart_rate_bpm_median
    from heart_rate_in_order
    where 2 * place between places and places + 2
),

new_rider as (
    select count(distinct day_ride.rider_id) as new_riders
    from day_ride
    where not exists (
        select 1 from ride as earlier
        where earlier.rider_id = day_ride.rider_id and earlier.business_day < :day
    )
),

total as (
    select
        count(*) as rides,
        count(distinct rider_id) as riders,
        coalesce(cast(sum(duration_seconds) as bigint), 0) as duration_seconds,
        coalesce(cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double), 0) as energy_kilojoules,
        max(duration_seconds) as longest_ride_seconds,
        cast(avg(cast(power_watts_mean as decimal(18, 6))) as double) as power_watts_mean,
        max(power_watts_max) as power_watts_max,
        cast(avg(cast(heart_rate_bpm_mean as decimal(18, 6))) as double) as heart_rate_bpm_mean,
        count(power_watts_mean) as rides_with_power,
        count(heart_rate_bpm_mean) as rides_with_heart_rate
    from day_ride
)

select
    total.rides,
    total.riders,
    new_rider.new_riders,
    total.duration_seconds,
    total.longest_ride_seconds,
    total.energy_kilojoules,
    total.power_watts_mean,
    power_median.power_watts_median,
    total.power_watts_max,
    total.rides_with_power,
    total.heart_rate_bpm_mean,
    heart_rate_median.heart_rate_bpm_median,
    total.rides_with_heart_rate
from total
cross join new_rider
cross join power_median
cross join heart_rate_median
