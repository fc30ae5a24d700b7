-- The readings of a ride under way, in the order of the bike's counter: all of them are in the buffer.
select second, heart_rate_bpm, power_watts, cadence_rpm, resistance
from daily.reading
where ride_id = $ride_id::uuid
order by second
