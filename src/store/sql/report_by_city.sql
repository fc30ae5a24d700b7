-- Each day's groups.
select business_day, city, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_city
where business_day between $1 and $2
