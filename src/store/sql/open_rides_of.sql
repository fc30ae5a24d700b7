-- Rides under way that a partition of a stream told of.
select distinct cast(ride.ride_id as varchar)
from daily.ride as ride
inner join ops.ride_source as told using (ride_id)
where ride.ended_at is null and told.source = $1 and told.topic = $2 and told.partition = $3
