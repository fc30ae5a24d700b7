delete from daily.reading where ride_id in (select cast(unnest(string_split(?, ',')) as uuid))
