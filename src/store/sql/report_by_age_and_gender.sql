-- The day's groups of age and gender together.
select gender, rides, riders, duration_seconds, energy_kilojoules, age_band
from historical.daily_by_age_and_gender
where business_day = ?
order by age_band, gender
