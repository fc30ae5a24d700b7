-- A bike's rides that were under way between two instants (microseconds), or those of a list of ids, as the buffer has
-- them, else history.
with known as (
    select ride_id, bike_serial, rider_id, started_at, ended_at, end_reason, is_partial, alert_count, false as is_history
    from daily.ride
    union all
    select ride_id, bike_serial, rider_id, started_at, ended_at, end_reason, is_partial, alert_count, true as is_history
    from historical.ride
),

newest as (
    select distinct on (ride_id) *
    from known
    where
        (bike_serial = $1 and started_at <= make_timestamptz($3::bigint))
        or ride_id in (select try_cast(unnest(string_split($4, ',')) as uuid))
    order by ride_id, is_history
)

select
    cast(ride_id as varchar), bike_serial, rider_id, epoch_us(started_at), epoch_us(ended_at), end_reason, is_partial,
    alert_count
from newest
where $1 is null or ended_at is null or ended_at >= make_timestamptz($2::bigint)
order by started_at, ride_id
