-- Rides under way that the stream never told of.
select cast(ride_id as varchar)
from daily.ride
where ended_at is null
    and ride_id not in (select ride_id from ops.ride_source where source = $1 and topic = $2)
