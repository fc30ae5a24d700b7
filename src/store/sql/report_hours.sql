-- Rides by the quarter of the hour they began in, first to last day included; instants in microseconds since 1970.
select
    business_day, epoch_us(starts_at), rides_begun_00_14, rides_begun_15_29, rides_begun_30_44, rides_begun_45_59
from historical.daily_by_hour
where business_day between ? and ?
