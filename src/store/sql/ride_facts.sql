-- What the store holds of the staged rides.
with readings as (
    select ride_id, cast(count(*) as integer) as reading_count
    from ops.stored_reading
    where ride_id in (select ride_id from temp.staged_ride)
    group by ride_id
),
alerts as (
    select ride_id, cast(count(*) as integer) as alert_count
    from daily.alert
    where ride_id in (select ride_id from temp.staged_ride)
    group by ride_id
)
select cast(staged.ride_id as varchar), coalesce(reading_count, 0), coalesce(alert_count, 0)
from temp.staged_ride as staged
left join readings on readings.ride_id = staged.ride_id
left join alerts on alerts.ride_id = staged.ride_id
