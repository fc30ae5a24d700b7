-- Each day's zones.
select business_day, heart_rate_zone, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_heart_rate_zones
where business_day between $1 and $2
