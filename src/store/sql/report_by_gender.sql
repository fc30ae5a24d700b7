-- Each day's groups.
select business_day, gender, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_gender
where business_day between $1 and $2
