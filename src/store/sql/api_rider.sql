-- One rider as their newest header described them, with the totals of their rides.
with totals as (
    select
        count(*) as rides,
        coalesce(sum(duration_seconds), 0)::bigint as duration_seconds,
        coalesce(sum(energy_kilojoules), 0) as energy_kilojoules,
        avg(heart_rate_bpm_mean) as heart_rate_bpm_mean,
        max(heart_rate_bpm_max) as heart_rate_bpm_max,
        avg(power_watts_mean) as power_watts_mean,
        max(power_watts_max) as power_watts_max,
        max(duration_seconds) as longest_ride_seconds,
        min(started_at) as first_ride_at,
        max(started_at) as last_ride_at
    from ride
    where rider_id = $rider_id::bigint
)

select
    rider.rider_id, rider.name, rider.forename, rider.surname, rider.gender, rider.date_of_birth::varchar,
    rider.email_address, rider.address, rider.town, rider.postcode_area, rider.height_cm, rider.weight_kg,
    rider.account_created_on::varchar, rider.original_source,
    totals.rides, totals.duration_seconds, totals.energy_kilojoules, totals.heart_rate_bpm_mean,
    totals.heart_rate_bpm_max, totals.power_watts_mean, totals.power_watts_max, totals.longest_ride_seconds,
    epoch_us(totals.first_ride_at), epoch_us(totals.last_ride_at)
from rider
cross join totals
where rider.rider_id = $rider_id::bigint
