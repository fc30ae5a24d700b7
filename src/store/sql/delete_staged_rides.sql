delete from daily.ride where ride_id in (select ride_id from temp.staged_ride)
