-- The day's groups.
select channel, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_channel
where business_day = ?
order by rides desc, channel
