-- The rides of a day that history has, or is to have, and the other does not, or says something else of. Columns that history got
-- after it had rides do not count: what they are filled with is no news of a ride whose readings are the same.
create or replace temp table moved_ride as
with
sealed as (
    select * exclude (power_watts_min, cadence_rpm_min, resistance_min)
    from temp.sealed_ride
),
kept as (
    select * exclude (power_watts_min, cadence_rpm_min, resistance_min)
    from historical.ride
    where business_day = cast($1 as date)
)
select ride_id, rider_id from (from sealed except from kept)
union all
select ride_id, rider_id from (from kept except from sealed)
