-- How long each ride of a rider was, longest first.
select ride_id::varchar, duration_seconds
from ride
where rider_id = $rider_id
    and ($after::integer is null or (duration_seconds, ride_id) < ($after::integer, $after_id::uuid))
order by duration_seconds desc, ride_id desc
limit $limit
