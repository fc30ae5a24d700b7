-- Which of the rides (a list of ids, in text) are stored.
with asked as (
    select cast(unnest(string_split($1, ',')) as uuid) as ride_id
)

select cast(ride_id as varchar) from daily.ride where ride_id in (select ride_id from asked)
union
select cast(ride_id as varchar) from historical.ride where ride_id in (select ride_id from asked)
