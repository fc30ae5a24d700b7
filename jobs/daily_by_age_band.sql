-- The day's rides by the rider's age.
-- Grain: one row per business day and age band that has rides.
-- Units: seconds, kilojoules, watts, beats a minute; means are over rides that have the value.
-- Age is the calendar age on the (UTC) date the rider's first ride of the day began, so every whole number falls into one
-- band, birthdays included. Unknown: no birth date, one after the ride, or no rider.
-- Sums and means go through decimals, so that they do not depend on the order in which rows are added.
with aged as (
    select
        ride.rider_id,
        ride.duration_seconds,
        ride.energy_kilojoules,
        ride.power_watts_mean,
        ride.heart_rate_bpm_mean,
        extract(year from rider.first_ride_at) - extract(year from rider.date_of_birth)
        - case
            when
                extract(month from rider.first_ride_at) * 100 + extract(day from rider.first_ride_at)
                < extract(month from rider.date_of_birth) * 100 + extract(day from rider.date_of_birth)
                then 1
            else 0
        end as age
    from ride
    left join rider_of_day as rider on ride.rider_id = rider.rider_id and rider.business_day = :day
    where ride.business_day = :day
),

banded as (
    select
        *,
        case
            when age is null or age < 0 then 'unknown'
            when age < 18 then 'under 18'
            when age < 25 then '18–24'
            when age < 35 then '25–34'
            when age < 45 then '35–44'
            when age < 55 then '45–54'
            when age < 65 then '55–64'
            else '65+'
        end as age_band
    from aged
)

select
    age_band,
    count(*) as rides,
    count(distinct rider_id) as riders,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules,
    cast(avg(cast(power_watts_mean as decimal(18, 6))) as double) as power_watts_mean,
    cast(avg(cast(heart_rate_bpm_mean as decimal(18, 6))) as double) as heart_rate_bpm_mean
from banded
group by age_band
