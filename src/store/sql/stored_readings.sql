-- Every stored reading of the staged rides, once.
select distinct on (ride_id, second)
    cast(ride_id as varchar), second, epoch_us(recorded_at), resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts,
    is_flagged
from ops.stored_reading
where ride_id in (select ride_id from temp.staged_ride)
order by ride_id, second
