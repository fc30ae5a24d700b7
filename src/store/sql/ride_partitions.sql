-- Which partition of the stream told of each of the rides (a list of ids, in text).
select cast(ride_id as varchar), max(partition)
from ops.ride_source
where source = $1 and topic = $2 and ride_id in (select cast(unnest(string_split($3, ',')) as uuid))
group by ride_id
