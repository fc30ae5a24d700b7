-- What the rides of history add up to by now, of the riders that are staged. For those of a day that is new to history, their
-- total and the rides of the day are put in place of all of history (`store::compact`).
create or replace temp table counted_rider as
with part as (
    select * from ops.parts_of('historical.ride')
)

select
    rider_id,
    sum(rides)::bigint as rides,
    sum(duration_seconds)::bigint as duration_seconds,
    max(longest_ride_seconds) as longest_ride_seconds,
    sum(energy_kilojoules) as energy_kilojoules,
    sum(power_watts_sum) as power_watts_sum,
    sum(rides_with_power)::bigint as rides_with_power,
    max(power_watts_max) as power_watts_max,
    sum(heart_rate_bpm_sum) as heart_rate_bpm_sum,
    sum(rides_with_heart_rate)::bigint as rides_with_heart_rate,
    max(heart_rate_bpm_max) as heart_rate_bpm_max,
    sum(cadence_rpm_sum) as cadence_rpm_sum,
    sum(rides_with_cadence)::bigint as rides_with_cadence,
    max(cadence_rpm_max) as cadence_rpm_max,
    min(first_ride_at) as first_ride_at,
    max(last_ride_at) as last_ride_at
from part
semi join temp.recounted_rider using (rider_id)
group by rider_id;

delete from historical.rider_total where rider_id in (select rider_id from temp.recounted_rider);

insert into historical.rider_total by name
select * from temp.counted_rider
order by rider_id;

drop table temp.counted_rider;
