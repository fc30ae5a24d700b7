-- What the store holds of the rides (a list of ids, in text): distinct seconds, and alerts.
with asked as (
    select cast(unnest(string_split($1, ',')) as uuid) as ride_id
),

readings as (
    select ride_id, cast(count(distinct second) as integer) as reading_count
    from ops.stored_reading
    where ride_id in (select ride_id from asked)
    group by ride_id
),

alerts as (
    select ride_id, cast(count(*) as integer) as alert_count
    from ops.stored_alert
    where ride_id in (select ride_id from asked)
    group by ride_id
)

select cast(asked.ride_id as varchar), coalesce(reading_count, 0), coalesce(alert_count, 0)
from asked
left join readings on readings.ride_id = asked.ride_id
left join alerts on alerts.ride_id = asked.ride_id
