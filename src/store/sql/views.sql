begin;

-- The lake's readings; `date` is the folder they are in. The text in this select is replaced by the list of files.
create or replace view ops.lake_reading as select * from lake_files;

-- Every reading that is stored anywhere; those of a sealed day that was not pruned yet are there twice, and what the
-- buffer says holds.
create or replace view ops.stored_reading as
select
    ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged,
    false as is_in_lake
from daily.reading
union all
select
    ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged,
    true as is_in_lake
from ops.lake_reading;

-- Every alert, once: those of a sealed day that was not pruned yet are in the buffer too.
create or replace view ops.stored_alert as
select * from daily.alert
union
select * exclude (business_day) from historical.alert;

-- The buffer without what was sealed.
create or replace view ops.unsealed_ride as
select * from daily.ride
where business_day is null or business_day not in (select business_day from ops.sealed_day);

-- Rides that are in history too: they were reopened after their day was sealed, and what the buffer says of them holds.
-- The instant is replaced by the start of history's newest ride, and the starts are compared as well: so these few are
-- found without reading all of history.
create or replace view ops.reopened_ride as
with candidates as (
    select ride_id, started_at from ops.unsealed_ride where started_at <= timestamptz '-infinity'
)

select ride_id
from historical.ride
semi join candidates using (ride_id, started_at);

-- One row per ride. `business_day` is null while the ride is open.
create or replace view main.ride as
select * from ops.unsealed_ride
union all
select * from historical.ride
anti join ops.reopened_ride using (ride_id);

-- The same where no ride is in both: without reading the ids of all.
create or replace view ops.ride_unless_reopened as
select * from ops.unsealed_ride
union all
select * from historical.ride;

-- One ride, without what it takes to look for rides that are in both. Parts of a table are passed over by when their rides
-- began, which the database cannot do by ids.
create or replace macro ops.ride_by_id(wanted, began, before) as table
select * from ops.unsealed_ride
where ride_id = wanted
union all
select * from historical.ride
where ride_id = wanted
    and started_at >= began
    and started_at < before
    and not exists (select 1 from ops.unsealed_ride where ride_id = wanted);

-- One row per ride and second.
create or replace view main.reading as
select
    ride.business_day, reading.ride_id, reading.second, reading.recorded_at, reading.resistance, reading.heart_rate_bpm,
    reading.is_dropout, reading.cadence_rpm, reading.power_watts, reading.is_flagged
from daily.reading as reading
inner join ops.unsealed_ride as ride using (ride_id)
union all
select
    date as business_day, ride_id, second, recorded_at, resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts,
    is_flagged
from ops.lake_reading
anti join ops.reopened_ride using (ride_id);

-- One row per rider, as the newest header described them: for few of them that is one of the buffer's.
create or replace view main.rider as
with newest as (
    select * from daily.rider
    qualify row_number() over (partition by rider_id order by seen_at desc) = 1
),

newer as (
    select newest.*
    from newest
    left join historical.rider as kept on kept.rider_id = newest.rider_id and kept.valid_to is null
    where kept.valid_from is null or newest.seen_at > kept.valid_from
)

select * exclude (seen_at) from newer
union all by name
select * exclude (valid_from, valid_to)
from historical.rider
anti join newer using (rider_id)
where valid_to is null;

-- One row per rider and description of them: as headers described them, one after the other. Each holds for rides that begin
-- from `valid_from` on and before `valid_to`, the first one for what was before it too.
create or replace view ops.rider_description as
with described as (
    select * exclude (valid_from, valid_to), valid_from as seen_at from historical.rider
    union all by name
    select * from daily.rider
)

select
    * exclude (seen_at),
    if(lag(seen_at) over of_rider is null, timestamptz '-infinity', seen_at) as valid_from,
    coalesce(lead(seen_at) over of_rider, timestamptz 'infinity') as valid_to
from described
window of_rider as (partition by rider_id order by seen_at);

-- One row per business day and rider with rides: as they were described when the first of these began. Whoever counts riders
-- by what they are has each in one group of a day.
create or replace view main.rider_of_day as
with first_ride as (
    select business_day, rider_id, min(started_at) as first_ride_at from main.ride where rider_id is not null group by all
)

select first_ride.business_day, first_ride.first_ride_at, description.* exclude (valid_from, valid_to)
from first_ride
inner join ops.rider_description as description
    on first_ride.rider_id = description.rider_id
    and first_ride.first_ride_at >= description.valid_from
    and first_ride.first_ride_at < description.valid_to;

-- Riders of whom the buffer has a ride of history again: `historical.rider_total` does not hold for them.
create or replace view ops.reopened_rider as
select distinct rider_id
from historical.ride
semi join ops.reopened_ride using (ride_id)
where rider_id is not null;

-- Rides of a table, each as a part of what the rides of its rider add up to.
create or replace macro ops.parts_of(rides) as table
select
    rider_id,
    1 as rides,
    duration_seconds,
    duration_seconds as longest_ride_seconds,
    energy_kilojoules,
    power_watts_mean as power_watts_sum,
    (power_watts_mean is not null)::integer as rides_with_power,
    power_watts_max,
    heart_rate_bpm_mean as heart_rate_bpm_sum,
    (heart_rate_bpm_mean is not null)::integer as rides_with_heart_rate,
    heart_rate_bpm_max,
    cadence_rpm_mean as cadence_rpm_sum,
    (cadence_rpm_mean is not null)::integer as rides_with_cadence,
    cadence_rpm_max,
    started_at as first_ride_at,
    started_at as last_ride_at
from query_table(rides)
where rider_id is not null;

-- Rides that are in no rider's total, or whose rider's total does not hold.
create or replace view ops.uncounted_ride as
select * from ops.unsealed_ride
union all
select * from historical.ride
semi join ops.reopened_rider using (rider_id)
anti join ops.reopened_ride using (ride_id);

-- What the rides of each rider add up to, open ones included, in parts that are to be added up: what history knows, and each
-- ride that it does not count.
create or replace view ops.rider_part as
select * from historical.rider_total
where rider_id not in (select rider_id from ops.reopened_rider)
union all by name
select * from ops.parts_of('ops.uncounted_ride');

commit;
