-- Towns that riders live in, with their riders and rides. What is marked is put in by `store::query::board`.
with city as (
    select rider.town, count(distinct rider.rider_id) as riders, count(ride.ride_id) as rides
    from rider
    left join ride on ride.rider_id = rider.rider_id
    where rider.town is not null
    group by rider.town
)

select town, riders, rides
from city
where true /* conditions */
order by 1 /* order */
limit $limit
