-- Riders of a day's rides, by what history has and by what it is to have.
create or replace temp table recounted_rider as
select rider_id from temp.sealed_ride where rider_id is not null
union
select rider_id from historical.ride where business_day = cast($1 as date) and rider_id is not null
