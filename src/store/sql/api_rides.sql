-- A page of rides, newest first. Ride ids begin with the instant their ride began, so they are the order and the cursor.
select
    ride_id::varchar, business_day::varchar, bike_serial, rider_id, epoch_us(started_at), epoch_us(ended_at),
    end_reason, is_partial, duration_seconds, reading_count, energy_kilojoules, power_watts_mean, power_watts_max,
    heart_rate_bpm_mean, heart_rate_bpm_min, heart_rate_bpm_max, dropout_seconds, cadence_rpm_mean, cadence_rpm_max,
    resistance_mean, resistance_max, flagged_readings, alert_count, power_watts_min, cadence_rpm_min, resistance_min
from ride
where ($ride_id::uuid is null or ride_id = $ride_id::uuid)
    and ($before::uuid is null or ride_id < $before::uuid)
    and ($day::date is null or business_day = $day::date)
    and ($rider_id::bigint is null or rider_id = $rider_id::bigint)
    and ($town::varchar is null or rider_id in (select rider.rider_id from rider where lower(rider.town) = lower($town::varchar)))
order by ride_id desc
limit $limit
