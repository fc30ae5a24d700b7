-- The readings of a day that is sealed for the first time.
select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
from daily.reading
where ride_id in (select ride_id from temp.sealed_ride)
order by ride_id, second
