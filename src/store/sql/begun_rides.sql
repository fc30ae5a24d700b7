-- What does not change while the rides (a list of ids, in text) go on.
select cast(ride_id as varchar), bike_serial, rider_id, epoch_us(started_at), is_partial, alert_count
from daily.ride
where ride_id in (select cast(unnest(string_split($1, ',')) as uuid))
