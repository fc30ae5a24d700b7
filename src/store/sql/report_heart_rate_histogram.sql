-- Each day's bins.
select business_day, heart_rate_bpm_from, rides
from historical.daily_heart_rate_histogram
where business_day between $1 and $2
