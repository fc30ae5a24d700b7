-- The best of a rider's rides that began before another; ride ids begin with the instant their ride began.
select max(duration_seconds), max(energy_kilojoules), max(power_watts_max)
from ride
where rider_id = $rider_id::bigint and ride_id < $before::uuid
