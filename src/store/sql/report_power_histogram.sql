-- The day's bins, lowest first.
select power_watts_from, rides
from historical.daily_power_histogram
where business_day = ?
order by power_watts_from
