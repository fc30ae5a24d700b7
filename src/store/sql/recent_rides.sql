-- A page of the rides of `recent_span.sql`, newest first.
select
    ride_id::varchar, bike_serial, rider_id, rider_name, gender, age, epoch_us(started_at), ended_at is null,
    duration_seconds, energy_kilojoules, power_watts_mean, heart_rate_bpm_mean, alert_count
from recent
where $before::uuid is null or ride_id < $before::uuid
order by ride_id desc
limit $limit
