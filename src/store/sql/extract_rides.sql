-- The rides of a business day in the order they began, each with its rider as they were then. The instant is the one at which
-- the company's clocks were changed, if that was around the day; the numbers are their microseconds ahead of UTC before and after.
with begun as (
    select
        *,
        make_timestamp(
            epoch_us(started_at) + if(epoch_us(started_at) < :changes_at, :before, :after)
        ) as started_local,
        make_timestamp(epoch_us(started_at))::date as started_on
    from historical.ride
    where business_day = :day::date
),

-- Of a million riders some ride on a day: only these are joined.
riding as (
    select * from extracting.rider
    where rider_id in (select rider_id from historical.ride where business_day = :day::date)
),

described as (
    select
        begun.*,
        rider.* exclude (rider_id, valid_from, valid_to),
        extracting.age_years(date_of_birth, started_on) as age_years
    from begun
    left join riding as rider
        on begun.rider_id = rider.rider_id
        and begun.started_at >= rider.valid_from and begun.started_at < rider.valid_to
)

select
    extracting.pseudonym('ride', ride_id) as ride,
    rider,
    coalesce(bike.bike, extracting.pseudonym('bike', described.bike_serial)) as bike,
    business_day,
    started_at,
    ended_at,
    started_local,
    hour(started_local)::integer as hour_of_day,
    isodow(started_local)::integer as weekday,
    coalesce(gender, 'unknown') as gender,
    extracting.age_band(age_years) as age_band,
    city,
    postcode_area,
    source,
    end_reason,
    is_partial,
    duration_seconds,
    reading_count,
    energy_kilojoules,
    power_watts_mean,
    power_watts_max,
    heart_rate_bpm_mean,
    heart_rate_bpm_min,
    heart_rate_bpm_max,
    dropout_seconds,
    cadence_rpm_mean,
    cadence_rpm_max,
    resistance_mean,
    resistance_max,
    flagged_readings,
    alert_count
    /* personal: , ride_id::varchar as ride_id, rider_id, described.bike_serial, name, email_address, address, postcode, date_of_birth,
    age_years, height_cm, weight_kg */
from described
left join extracting.bike as bike on bike.bike_serial = described.bike_serial
order by described.started_at, ride_id
