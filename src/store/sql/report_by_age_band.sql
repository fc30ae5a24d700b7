-- Each day's groups.
select business_day, age_band, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_age_band
where business_day between $1 and $2
