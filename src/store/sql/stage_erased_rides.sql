-- The rides to be erased: one (?1), or those that a rider (?2) began before an instant (?3). One that went on in another day
-- is there twice.
create or replace temp table erased_ride as
select ride_id, rider_id, business_day, bike_serial, started_at, ended_at from daily.ride
where ride_id = cast(?1 as uuid) or (rider_id = ?2 and started_at < ?3)
union
select ride_id, rider_id, business_day, bike_serial, started_at, ended_at from historical.ride
where ride_id = cast(?1 as uuid) or (rider_id = ?2 and started_at < ?3)
