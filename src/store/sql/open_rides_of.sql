-- Rides under way that a partition of a stream told of, and no other stream.
select distinct cast(ride.ride_id as varchar)
from daily.ride as ride
inner join ops.ride_source as told using (ride_id)
where ride.ended_at is null and told.source = $1 and told.topic = $2 and told.partition = $3
    and ride.ride_id not in (select ride_id from ops.ride_source where source <> $1 or topic <> $2)
