-- How long each ride of a rider was, longest first.
select ride_id::varchar, duration_seconds
from ride
where rider_id = $rider_id
order by duration_seconds desc, ride_id desc
limit $limit
offset $offset
