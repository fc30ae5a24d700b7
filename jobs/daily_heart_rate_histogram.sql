-- The day's rides by their mean heart rate, in bins of 5 beats a minute.
-- Grain: one row per business day and bin that has rides; a bin holds heart_rate_bpm_from <= mean < heart_rate_bpm_from + 5.
-- Units: beats a minute, over readings with hand contact. Rides without any contact are in no bin.
with binned as (
    select
        cast(floor(heart_rate_bpm_mean / 5) * 5 as bigint) as heart_rate_bpm_from,
        rider_id
    from ride
    where business_day = :day and heart_rate_bpm_mean is not null
)

select
    heart_rate_bpm_from,
    count(*) as rides,
    count(distinct rider_id) as riders
from binned
group by heart_rate_bpm_from
order by heart_rate_bpm_from
