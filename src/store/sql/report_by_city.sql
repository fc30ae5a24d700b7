-- The day's groups.
select city, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_city
where business_day = ?
order by rides desc, city
