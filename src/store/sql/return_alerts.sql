-- Alerts of rides that leave a day go back to the buffer, as far as it was pruned of them.
insert into daily.alert
select * exclude (business_day)
from historical.alert
anti join daily.alert using (ride_id, raised_at, direction)
where business_day = cast($1 as date) and ride_id in (select ride_id from temp.leaving_ride)
