-- Each day's bins.
select business_day, power_watts_from, rides
from historical.daily_power_histogram
where business_day between $1 and $2
