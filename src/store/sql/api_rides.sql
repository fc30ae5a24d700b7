-- A page of rides. Ride ids begin with the instant their ride began, so they are the order of time and its cursor. What is
-- marked is put in by `store::query::ride`.
select
    ride_id::varchar, business_day::varchar, bike_serial, ride.rider_id, epoch_us(started_at), epoch_us(ended_at),
    end_reason, is_partial, duration_seconds, reading_count, energy_kilojoules, power_watts_mean, power_watts_max,
    heart_rate_bpm_mean, heart_rate_bpm_min, heart_rate_bpm_max, dropout_seconds, cadence_rpm_mean, cadence_rpm_max,
    resistance_mean, resistance_max, flagged_readings, alert_count, power_watts_min, cadence_rpm_min, resistance_min,
    0 /* key */
from ride /* riders */
where true /* conditions */
order by 1 /* order */
limit $limit
