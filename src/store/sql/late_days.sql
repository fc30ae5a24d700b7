-- Sealed days for which the buffer holds a finished ride that history lacks, or has with another number of readings;
-- those in which history has a ride that
-- went on and ended in another day; and those in which lines were put in place that had been rejected.
select distinct buffered.business_day::varchar
from daily.ride as buffered
semi join ops.sealed_day using (business_day)
anti join historical.ride as kept
    on kept.ride_id = buffered.ride_id
    and kept.business_day = buffered.business_day
    and kept.reading_count = buffered.reading_count
where buffered.ended_at is not null
union
select distinct kept.business_day::varchar
from historical.ride as kept
inner join daily.ride as buffered using (ride_id)
where kept.business_day <> buffered.business_day
union
select business_day::varchar
from ops.changed_day
semi join ops.sealed_day using (business_day)
