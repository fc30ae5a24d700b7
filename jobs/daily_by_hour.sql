-- The day's rides by the hour they began in.
-- Grain: one row per business day and UTC hour that has rides. `starts_at` is the hour's first instant.
-- Units: seconds, kilojoules.
-- Hours are UTC hours: which local hour that is, and how many hours the day has, is for the reader of the table. The
-- four quarters serve zones that are not whole hours off UTC, and days that do not end on the hour. A ride that began
-- before the day did (it belongs to the day it ended in) has an hour of the day before.
-- Sums and means go through decimals, so that they do not depend on the order in which rows are added.
with begun as (
    select
        date_trunc('hour', started_at) as starts_at,
        extract(minute from started_at) as minute_begun,
        rider_id,
        duration_seconds,
        energy_kilojoules
    from ride
    where business_day = :day
)

select
    starts_at,
    count(*) as rides,
    count(distinct rider_id) as riders,
    cast(sum(duration_seconds) as bigint) as duration_seconds,
    cast(sum(cast(energy_kilojoules as decimal(18, 6))) as double) as energy_kilojoules,
    count(case when minute_begun < 15 then 1 end) as rides_begun_00_14,
    count(case when minute_begun >= 15 and minute_begun < 30 then 1 end) as rides_begun_15_29,
    count(case when minute_begun >= 30 and minute_begun < 45 then 1 end) as rides_begun_30_44,
    count(case when minute_begun >= 45 then 1 end) as rides_begun_45_59
from begun
group by starts_at
order by starts_at
