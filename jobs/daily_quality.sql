-- How good the day's data is.
-- Grain: one row per business day, also for a day without rides.
-- Units: readings are seconds; the rest are counts.
-- Dropouts are readings without hand contact; flagged readings are outside the plausible bounds, kept and counted;
-- partial rides were joined midway; idle rides ended without a marker. Missing seconds are those of the bikes' own
-- counters that never arrived.
select
    coalesce(cast(sum(reading_count) as bigint), 0) as readings,
    coalesce(cast(sum(duration_seconds - reading_count) as bigint), 0) as missing_seconds,
    coalesce(cast(sum(dropout_seconds) as bigint), 0) as dropout_seconds,
    coalesce(cast(sum(flagged_readings) as bigint), 0) as flagged_readings,
    count(case when is_partial then 1 end) as partial_rides,
    count(case when end_reason = 'idle' then 1 end) as idle_rides,
    coalesce(cast(sum(alert_count) as bigint), 0) as alerts
from ride
where business_day = :day
