-- Towns that riders live in, with their riders and rides. What is marked is put in by `store::query::board`.
with city as (
    select rider.town, count(distinct rider.rider_id) as riders, coalesce(sum(part.rides), 0)::bigint as rides
    from rider
    left join ops.rider_part as part on part.rider_id = rider.rider_id
    where rider.town is not null
    group by rider.town
)

select town, riders, rides
from city
where true /* conditions */
order by 1 /* order */
limit $limit
