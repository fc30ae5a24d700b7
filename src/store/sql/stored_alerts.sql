-- The alerts stored of the rides (a list of ids, in text).
select cast(ride_id as varchar), direction, level, second, heart_rate_bpm, limit_bpm
from ops.stored_alert
where ride_id in (select cast(unnest(string_split($1, ',')) as uuid))
