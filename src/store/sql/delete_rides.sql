delete from daily.ride where ride_id in (select cast(unnest(string_split($1, ',')) as uuid))
