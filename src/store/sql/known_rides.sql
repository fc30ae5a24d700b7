select cast(ride_id as varchar) from daily.ride where ride_id in (select ride_id from temp.staged_ride)
union
select cast(ride_id as varchar) from historical.ride where ride_id in (select ride_id from temp.staged_ride)
