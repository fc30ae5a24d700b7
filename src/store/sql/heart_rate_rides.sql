-- The rides of a day whose riders are known, in the order in which heart_rate_readings.sql numbers them.
select ride.rider_id, epoch_us(ride.started_at), rider.date_of_birth::varchar, rider.gender
from main.ride as ride
left join main.rider as rider using (rider_id)
where ride.business_day = $1::date and ride.rider_id is not null
order by ride.ride_id
