-- Readings of rides that leave a day go back to the buffer, as far as it was pruned of them.
insert into daily.reading
select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
from ops.lake_reading
anti join daily.reading using (ride_id, second)
where date = cast($1 as date) and ride_id in (select ride_id from temp.leaving_ride)
