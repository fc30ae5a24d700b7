-- The minutes of a business day's rides, from 0, in the order of the rides. Means of power, cadence and resistance are over
-- the seconds that have the value, heart rates over those with contact.
with begun as (
    select ride_id, started_at, extracting.pseudonym('ride', ride_id) as ride
    from historical.ride
    where business_day = :day::date
),

minutes as (
    select
        ride_id,
        (second - 1) // 60 as minute,
        count(*)::integer as reading_count,
        avg(power_watts::decimal(18, 6))::double as power_watts_mean,
        max(power_watts) as power_watts_max,
        (sum(power_watts::decimal(18, 6)) / 1000)::double as energy_kilojoules,
        avg(if(is_dropout, null, heart_rate_bpm)) as heart_rate_bpm_mean,
        min(if(is_dropout, null, heart_rate_bpm)) as heart_rate_bpm_min,
        max(if(is_dropout, null, heart_rate_bpm)) as heart_rate_bpm_max,
        count_if(is_dropout)::integer as dropout_seconds,
        avg(cadence_rpm) as cadence_rpm_mean,
        avg(resistance) as resistance_mean,
        count_if(is_flagged)::integer as flagged_readings
    from (select * from ops.lake_reading where date = :day::date)
    where ride_id in (select ride_id from begun)
    group by ride_id, minute
)

select
    begun.ride,
    :day::date as business_day,
    minutes.minute,
    minutes.reading_count,
    minutes.energy_kilojoules,
    minutes.power_watts_mean,
    minutes.power_watts_max,
    minutes.heart_rate_bpm_mean,
    minutes.heart_rate_bpm_min,
    minutes.heart_rate_bpm_max,
    minutes.dropout_seconds,
    minutes.cadence_rpm_mean,
    minutes.resistance_mean,
    minutes.flagged_readings
    /* personal: , begun.ride_id::varchar as ride_id */
from minutes
inner join begun using (ride_id)
order by begun.started_at, begun.ride_id, minutes.minute
