-- Headline figures of every day there are some for, first to last day included.
select
    business_day, rides, riders, new_riders, duration_seconds, energy_kilojoules, power_watts_mean,
    heart_rate_bpm_mean, longest_ride_seconds, power_watts_max, power_watts_median, heart_rate_bpm_median,
    rides_with_power, rides_with_heart_rate
from historical.daily_totals
where business_day between ? and ?
