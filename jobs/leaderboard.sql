-- What each rider did on the day: the measures of the leaderboards.
-- Grain: one row per business day and rider; rides whose rider is unknown are left out.
-- Units: seconds, kilojoules, watts, beats a minute (readings with contact), revolutions a minute, bike resistance.
-- Means are over the rider's rides that have the value; the `rides_with_…` counts are their weights when days are
-- added up.
-- Sums and means go through decimals, so that they do not depend on the order in which rows are added.
select
    rider_id,
    count(*) as rides,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    max(duration_seconds) as longest_ride_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules,
    max(power_watts_max) as power_watts_max,
    cast(avg(cast(power_watts_mean as decimal(18, 6))) as double) as power_watts_mean,
    count(power_watts_mean) as rides_with_power,
    max(heart_rate_bpm_max) as heart_rate_bpm_max,
    cast(avg(cast(heart_rate_bpm_mean as decimal(18, 6))) as double) as heart_rate_bpm_mean,
    count(heart_rate_bpm_mean) as rides_with_heart_rate,
    max(cadence_rpm_max) as cadence_rpm_max,
    cast(avg(cast(cadence_rpm_mean as decimal(18, 6))) as double) as cadence_rpm_mean,
    count(cadence_rpm_mean) as rides_with_cadence,
    max(resistance_max) as resistance_max,
    cast(avg(cast(resistance_mean as decimal(18, 6))) as double) as resistance_mean,
    count(resistance_mean) as rides_with_resistance
from ride
where business_day = :day and rider_id is not null
group by rider_id
