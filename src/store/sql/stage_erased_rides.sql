-- The rides to be erased: one (?1), or all of a rider (?2). Whatever a bike's clock said of when they began: they are stored,
-- so they are from before. One that went on in another day is there twice.
create or replace temp table erased_ride as
select ride_id, rider_id, business_day, bike_serial, started_at, ended_at from daily.ride
where ride_id = cast(?1 as uuid) or rider_id = ?2
union
select ride_id, rider_id, business_day, bike_serial, started_at, ended_at from historical.ride
where ride_id = cast(?1 as uuid) or rider_id = ?2
