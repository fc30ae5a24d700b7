-- Riders as the newest header described them, with what their rides of sealed days add up to. Their age is that at the last of
-- these.
with totalled as (
    select
        rider.*,
        total.* exclude (rider_id),
        coalesce(nullif(rider.gender, ''), 'unknown') as gender_or_unknown,
        make_timestamp(epoch_us(total.last_ride_at))::date as last_on
    from main.rider as rider
    left join historical.rider_total as total using (rider_id)
),

aged as (
    select
        *,
        (
            year(last_on) - year(date_of_birth)
            - (month(last_on) * 100 + day(last_on) < month(date_of_birth) * 100 + day(date_of_birth))::integer
        )::integer as age_years
    from totalled
)

select
    left(sha256(concat(getvariable('extract_key'), ' rider ', rider_id)), 20) as rider,
    gender_or_unknown as gender,
    case
        when age_years is null or age_years < 0 then 'unknown'
        when age_years < 18 then '< 18'
        when age_years < 25 then '18–24'
        when age_years < 35 then '25–34'
        when age_years < 45 then '35–44'
        when age_years < 55 then '45–54'
        else '55+'
    end as age_band,
    town as city,
    postcode_area,
    lower(trim(original_source)) as source,
    first_ride_at,
    last_ride_at,
    coalesce(rides, 0) as rides,
    coalesce(duration_seconds, 0) as duration_seconds,
    longest_ride_seconds,
    coalesce(energy_kilojoules, 0) as energy_kilojoules,
    power_watts_sum / nullif(rides_with_power, 0) as power_watts_mean,
    power_watts_max,
    heart_rate_bpm_sum / nullif(rides_with_heart_rate, 0) as heart_rate_bpm_mean,
    heart_rate_bpm_max,
    cadence_rpm_sum / nullif(rides_with_cadence, 0) as cadence_rpm_mean,
    cadence_rpm_max
    /* personal: , rider_id, name, email_address, address, postcode, date_of_birth, age_years, height_cm, weight_kg */
from aged
order by rider
