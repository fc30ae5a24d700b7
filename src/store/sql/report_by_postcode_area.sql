-- Each day's groups.
select business_day, postcode_area, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_postcode_area
where business_day between $1 and $2
