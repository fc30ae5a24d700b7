-- The readings of a day that was sealed before: the lake's, and what the buffer holds beyond them.
select distinct on (ride_id, second)
    ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
from (
    select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
    from daily.reading
    union all
    select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
    from ops.lake_reading
    where date = cast(:day as date)
)
where ride_id in (select ride_id from temp.sealed_ride)
order by ride_id, second
