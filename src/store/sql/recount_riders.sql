-- What the rides of history add up to by now, of the riders that are staged.
delete from historical.rider_total where rider_id in (select rider_id from temp.recounted_rider);

insert into historical.rider_total by name
select
    rider_id,
    count(*) as rides,
    sum(duration_seconds)::bigint as duration_seconds,
    max(duration_seconds) as longest_ride_seconds,
    sum(energy_kilojoules) as energy_kilojoules,
    sum(power_watts_mean) as power_watts_sum,
    count(power_watts_mean) as rides_with_power,
    max(power_watts_max) as power_watts_max,
    sum(heart_rate_bpm_mean) as heart_rate_bpm_sum,
    count(heart_rate_bpm_mean) as rides_with_heart_rate,
    max(heart_rate_bpm_max) as heart_rate_bpm_max,
    sum(cadence_rpm_mean) as cadence_rpm_sum,
    count(cadence_rpm_mean) as rides_with_cadence,
    max(cadence_rpm_max) as cadence_rpm_max,
    min(started_at) as first_ride_at,
    max(started_at) as last_ride_at
from historical.ride
semi join temp.recounted_rider using (rider_id)
group by rider_id
order by rider_id;
