-- The day's zones.
select heart_rate_zone, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_heart_rate_zones
where business_day = ?
order by heart_rate_zone
