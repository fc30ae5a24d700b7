-- The bike of a partition's rides, if they are all one bike's.
select case when count(distinct bike_serial) = 1 then max(bike_serial) end
from daily.ride
where ride_id in (select ride_id from ops.ride_source where source = $1 and topic = $2 and partition = $3)
