-- The time that was ridden in each heart-rate zone on the day.
-- Grain: one row per business day and zone that has readings: z1 … z5, and `unknown` where the rider's age is.
-- Units: a reading is a second; kilojoules are those of these seconds.
-- Only readings with hand contact count. Zones are shares of the maximum heart rate that is predicted from age,
-- 208 − 0.7 · age (Tanaka, Monahan, Seals: J Am Coll Cardiol 2001;37:153–156): z1 below 60 %,
-- z2 below 70 %, z3 below 80 %, z4 below 90 %, z5 from there on. Age is that of `daily_by_age_band`.
-- Sums go through decimals, so that they do not depend on the order in which rows are added.
with aged as (
    select
        ride.ride_id,
        ride.rider_id,
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

measured as (
    select
        aged.ride_id,
        aged.rider_id,
        reading.power_watts,
        case
            when aged.age is null or aged.age < 0 then null
            else reading.heart_rate_bpm / (208 - 0.7 * aged.age)
        end as effort
    from reading
    inner join aged on reading.ride_id = aged.ride_id
    where reading.business_day = :day and reading.heart_rate_bpm > 0 and not reading.is_dropout
),

zoned as (
    select
        *,
        case
            when effort is null then 'unknown'
            when effort < 0.6 then 'z1'
            when effort < 0.7 then 'z2'
            when effort < 0.8 then 'z3'
            when effort < 0.9 then 'z4'
            else 'z5'
        end as heart_rate_zone
    from measured
)

select
    heart_rate_zone,
    count(distinct ride_id) as rides,
    count(distinct rider_id) as riders,
    count(*) as duration_seconds,
    coalesce(cast(sum(cast(power_watts as decimal(18, 6))) as double), 0) / 1000 as energy_kilojoules
from zoned
group by heart_rate_zone
