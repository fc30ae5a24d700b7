-- Rides that history has in a day, and that do not belong there any more: they were reopened.
create or replace temp table leaving_ride as
select ride_id from historical.ride
where business_day = cast($1 as date) and ride_id not in (select ride_id from temp.sealed_ride)
