-- Each day's groups.
select business_day, channel, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_channel
where business_day between $1 and $2
