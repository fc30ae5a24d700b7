-- Rides of a day that history holds with as many readings.
create or replace temp table prunable_ride as
select buffered.ride_id
from daily.ride as buffered
inner join historical.ride as kept on kept.ride_id = buffered.ride_id and kept.reading_count = buffered.reading_count
where buffered.business_day = cast($1 as date) and kept.business_day = buffered.business_day
    and buffered.business_day not in (select business_day from ops.changed_day)
