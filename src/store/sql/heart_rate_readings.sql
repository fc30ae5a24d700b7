-- The heart rates of a day's rides, ride by ride; see heart_rate_rides.sql.
with numbered as (
    select ride_id, row_number() over (order by ride_id) - 1 as place
    from main.ride
    where business_day = $1::date and rider_id is not null
)

select place, reading.second, reading.heart_rate_bpm, reading.is_dropout
from main.reading as reading
inner join numbered using (ride_id)
where reading.business_day = $1::date
order by place, reading.second
