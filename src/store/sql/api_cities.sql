-- Towns that riders live in, with their riders and rides.
select rider.town, count(distinct rider.rider_id) as riders, count(ride.ride_id) as rides
from rider
left join ride on ride.rider_id = rider.rider_id
where rider.town is not null
group by rider.town
order by rides desc, rider.town
limit $limit
