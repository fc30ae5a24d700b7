-- A rider's best figures over rides that have ended, each with the ride in which it was reached first. Of those that began
-- before a ride where one is given: ride ids begin with the instant their ride began.
with figures as (
    unpivot (
        select
            ride_id, started_at, duration_seconds::double as duration_seconds, energy_kilojoules, power_watts_mean,
            power_watts_max, cadence_rpm_mean, cadence_rpm_max::double as cadence_rpm_max, heart_rate_bpm_mean,
            heart_rate_bpm_max::double as heart_rate_bpm_max, resistance_max::double as resistance_max
        from ride
        where rider_id = $rider_id and business_day is not null
            and ($before::varchar is null or ride_id < $before::uuid)
    )
    on columns(* exclude (ride_id, started_at))
    into name measure value value
)

select measure, value, ride_id::varchar, epoch_us(started_at)
from figures
qualify row_number() over (partition by measure order by value desc, started_at, ride_id) = 1
order by measure
