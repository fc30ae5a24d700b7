-- Riders of rides that moved.
create or replace temp table recounted_rider as
select distinct rider_id from temp.moved_ride where rider_id is not null
