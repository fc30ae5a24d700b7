-- The day's bins, lowest first.
select heart_rate_bpm_from, rides
from historical.daily_heart_rate_histogram
where business_day = ?
order by heart_rate_bpm_from
