-- A page of riders as their newest headers described them, with the totals of their rides. What is marked is put in by
-- `store::query::rider`.
with totals as (
    select
        rider_id,
        coalesce(sum(rides), 0)::bigint as rides,
        coalesce(sum(duration_seconds), 0)::bigint as duration_seconds,
        coalesce(sum(energy_kilojoules), 0) as energy_kilojoules,
        sum(heart_rate_bpm_sum) / nullif(sum(rides_with_heart_rate), 0) as heart_rate_bpm_mean,
        max(heart_rate_bpm_max) as heart_rate_bpm_max,
        sum(power_watts_sum) / nullif(sum(rides_with_power), 0) as power_watts_mean,
        max(power_watts_max) as power_watts_max,
        max(longest_ride_seconds) as longest_ride_seconds,
        min(first_ride_at) as first_ride_at,
        max(last_ride_at) as last_ride_at
    from ops.rider_part
    group by rider_id
)

select
    rider.rider_id, rider.name, rider.forename, rider.surname, rider.gender, rider.date_of_birth::varchar,
    rider.email_address, rider.address, rider.town, rider.postcode_area, rider.height_cm, rider.weight_kg,
    rider.account_created_on::varchar, rider.original_source,
    coalesce(totals.rides, 0), coalesce(totals.duration_seconds, 0), coalesce(totals.energy_kilojoules, 0),
    totals.heart_rate_bpm_mean, totals.heart_rate_bpm_max, totals.power_watts_mean, totals.power_watts_max,
    totals.longest_ride_seconds, epoch_us(totals.first_ride_at), epoch_us(totals.last_ride_at),
    0 /* key */
from rider /* riders */
left join totals on totals.rider_id = rider.rider_id
where true /* conditions */
order by 1 /* order */
limit $limit
