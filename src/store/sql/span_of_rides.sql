-- When the first ride that is stored began, and when the last.
select epoch_us(min(started_at)), epoch_us(max(started_at))
from (
    select min(started_at) as started_at from daily.ride
    union all
    select max(started_at) from daily.ride
    union all
    select min(started_at) from historical.ride
    union all
    select max(started_at) from historical.ride
)
