-- Each day's groups of age and gender together.
select business_day, gender, rides, riders, duration_seconds, energy_kilojoules, age_band
from historical.daily_by_age_and_gender
where business_day between $1 and $2
