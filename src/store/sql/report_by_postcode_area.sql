-- The day's groups.
select postcode_area, rides, riders, duration_seconds, energy_kilojoules
from historical.daily_by_postcode_area
where business_day = ?
order by rides desc, postcode_area
