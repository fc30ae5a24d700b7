-- Riders as the newest header described them, with what their rides of sealed days add up to. Their age is that at the newest of
-- their rides, of a sealed day or not.
with unsealed as (
    select rider_id, max(started_at) as last_at from ops.unsealed_ride
    group by rider_id
),

totalled as (
    select
        rider.*,
        total.* exclude (rider_id),
        coalesce(nullif(rider.gender, ''), 'unknown') as gender_or_unknown,
        extracting.age_years(
            rider.date_of_birth, make_timestamp(epoch_us(greatest(total.last_ride_at, unsealed.last_at)))::date
        ) as age_years
    from main.rider as rider
    left join historical.rider_total as total using (rider_id)
    left join unsealed using (rider_id)
)

select
    extracting.pseudonym('rider', rider_id) as rider,
    gender_or_unknown as gender,
    extracting.age_band(age_years) as age_band,
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
from totalled
order by rider
