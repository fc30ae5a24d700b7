-- Who rode the rides (a list of ids, in text), where the buffer knows.
select cast(ride_id as varchar), rider_id
from daily.ride
where ride_id in (select cast(unnest(string_split($1, ',')) as uuid)) and rider_id is not null
