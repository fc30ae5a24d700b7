-- Which of the rides (a list of ids, in text) are stored. The first of them began at $2, the last before $3 (microseconds):
-- of history only what began then is read.
with asked as (
    select cast(unnest(string_split($1, ',')) as uuid) as ride_id
)

select cast(ride_id as varchar) from daily.ride where ride_id in (select ride_id from asked)
union
select cast(ride_id as varchar) from historical.ride
where started_at >= make_timestamptz($2::bigint)
    and started_at < make_timestamptz($3::bigint)
    and ride_id in (select ride_id from asked)
