-- The day's groups.
select age_band, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_age_band
where business_day = ?
order by rides desc, age_band
