-- Days in whose history there are rides that, as the buffer knows by now, ended in the day given.
select distinct kept.business_day::varchar
from historical.ride as kept
inner join daily.ride as buffered using (ride_id, started_at)
where buffered.business_day = cast($1 as date) and kept.business_day <> buffered.business_day
