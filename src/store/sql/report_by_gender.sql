-- The day's groups.
select gender, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_gender
where business_day = ?
order by rides desc, gender
