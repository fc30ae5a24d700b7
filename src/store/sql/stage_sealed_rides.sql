-- The rides of a day: those in the buffer that are over, and of an earlier sealing those that the buffer does not hold.
-- A ride that the buffer holds as open or as another day's was reopened after that sealing and is no longer this day's.
create or replace temp table sealed_ride as
select * from daily.ride where business_day = cast($1 as date) and ended_at is not null
union all
select * from historical.ride
where business_day = cast($1 as date) and ride_id not in (select ride_id from daily.ride)
