-- Riders by one measure over rides that have ended, best first. Equal figures share a rank and the next rank is skipped.
-- What is marked is put in by `store::query::board`.
with figures as (
    select
        rider_id,
        count(*) as rides,
        case $measure::varchar
            when 'rides' then count(*)::double
            when 'duration' then sum(duration_seconds)::double
            when 'longest_ride' then max(duration_seconds)::double
            when 'energy' then sum(energy_kilojoules)
            when 'power_mean' then avg(power_watts_mean)
            when 'power_max' then max(power_watts_max)
            when 'heart_rate_mean' then avg(heart_rate_bpm_mean)
            when 'heart_rate_max' then max(heart_rate_bpm_max)::double
            when 'cadence_mean' then avg(cadence_rpm_mean)
            when 'cadence_max' then max(cadence_rpm_max)::double
        end as value
    from ride
    where rider_id is not null
        and business_day is not null
        and true /* conditions */
    group by rider_id
),

ranked as (
    select rank() over (order by value desc) as rank, rider_id, value, rides
    from figures
    where value is not null
        and ($min::double is null or value >= $min::double)
        and ($max::double is null or value <= $max::double)
)

select ranked.rank, ranked.rider_id, rider.name, ranked.value, ranked.rides
from ranked
left join rider on rider.rider_id = ranked.rider_id
order by ranked.rank, ranked.rider_id
limit $limit
offset $offset
