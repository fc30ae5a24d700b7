-- The readings of a day that was sealed before: the lake's, and what the buffer holds beyond them. Only of rides that
-- are partly here and partly there does a second have to be looked for in both.
with buffered as (
    select ride_id, count(*) as reading_count
    from daily.reading
    where ride_id in (select ride_id from temp.sealed_ride)
    group by ride_id
),

whole as (
    select ride_id from buffered
    semi join temp.sealed_ride as ride
        on ride.ride_id = buffered.ride_id and ride.reading_count = buffered.reading_count
),

in_lake as (
    select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
    from ops.lake_reading
    where date = cast(:day as date) and ride_id in (select ride_id from temp.sealed_ride)
),

in_both as (
    select distinct on (ride_id, second) * exclude (is_in_lake)
    from (
        select *, false as is_in_lake from daily.reading
        union all
        select *, true as is_in_lake from in_lake
    )
    where ride_id in (select ride_id from buffered) and ride_id not in (select ride_id from whole)
    order by ride_id, second, is_in_lake
)

select ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
from (
    select * from daily.reading where ride_id in (select ride_id from whole)
    union all
    select * from in_lake where ride_id not in (select ride_id from buffered)
    union all
    select * from in_both
)
order by ride_id, second
