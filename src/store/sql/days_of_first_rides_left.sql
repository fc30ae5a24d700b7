-- Sealed days that hold the first of a rider's rides by now, where an earlier one was erased.
with first_ride as (
    select ride.rider_id, min(ride.started_at) as started_at, arg_min(ride.business_day, ride.started_at) as business_day
    from historical.ride
    semi join temp.recounted_rider using (rider_id)
    group by ride.rider_id
)

select distinct cast(first_ride.business_day as varchar)
from first_ride
inner join temp.recounted_rider as erased using (rider_id)
inner join temp.erased_ride as gone using (rider_id)
where gone.started_at < first_ride.started_at
