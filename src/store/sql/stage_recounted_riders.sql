-- Riders of whom history has, or is to have, other rides in a day, or the same that say something else.
create or replace temp table recounted_rider as
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
select rider_id from (from sealed except from kept) where rider_id is not null
union
select rider_id from (from kept except from sealed) where rider_id is not null
