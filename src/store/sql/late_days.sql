-- Sealed days for which the buffer holds a finished ride that history lacks, or has with another number of readings;
-- those in which history has a ride that went on and ended in another day; and those in which lines were put in place that
-- had been rejected. Of history only the rides are read that began between the first and the last of the buffer's.
with buffered as materialized (
    select ride_id, started_at, ended_at, business_day, reading_count from daily.ride where business_day is not null
),

kept as materialized (
    select kept.ride_id, kept.business_day, kept.reading_count
    from historical.ride as kept
    inner join buffered using (ride_id, started_at)
)

select distinct buffered.business_day::varchar
from buffered
semi join ops.sealed_day using (business_day)
anti join kept using (ride_id, business_day, reading_count)
where buffered.ended_at is not null
union
select distinct kept.business_day::varchar
from kept
inner join buffered using (ride_id)
where kept.business_day <> buffered.business_day
union
select business_day::varchar
from ops.changed_day
semi join ops.sealed_day using (business_day)
