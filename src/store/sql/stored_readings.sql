-- Every stored reading of the rides (a list of ids, in text), once.
select distinct on (ride_id, second)
    cast(ride_id as varchar), second, epoch_us(recorded_at), resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts,
    is_flagged
from ops.stored_reading
where ride_id in (select cast(unnest(string_split($1, ',')) as uuid))
order by ride_id, second, is_in_lake
