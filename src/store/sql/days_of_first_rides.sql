-- Later days that hold the first rides of riders who, by what the day given now holds, have ridden in that day or have
-- not after all: there they were counted as new, or should have been.
with riders as (
    select rider_id from temp.sealed_ride where rider_id is not null
    union
    select rider_id from historical.ride where business_day = cast($1 as date) and rider_id is not null
),

held as (
    select rider_id from temp.sealed_ride
    intersect
    select rider_id from historical.ride where business_day = cast($1 as date)
),

first_ride as (
    select rider_id, min(business_day) as business_day
    from historical.ride
    semi join riders using (rider_id)
    anti join held using (rider_id)
    where business_day <> cast($1 as date)
    group by rider_id
)

select distinct business_day::varchar
from first_ride
where business_day > cast($1 as date)
