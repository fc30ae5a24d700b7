-- Riders of whom rides were erased, with the moment up to which they were.
create or replace temp table recounted_rider as
select rider_id, max(started_at) as erased_until
from temp.erased_ride
where rider_id is not null
group by rider_id
