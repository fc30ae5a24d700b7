-- The sealed days that rides (a list of ids, in text) are in, as the buffer knows and as history does.
with asked as (
    select cast(unnest(string_split($1, ',')) as uuid) as ride_id
),

days as (
    select business_day from daily.ride where ride_id in (select ride_id from asked)
    union
    select business_day from historical.ride where ride_id in (select ride_id from asked)
)

select cast(business_day as varchar) from days
semi join ops.sealed_day using (business_day)
order by business_day
