-- Riders by one measure over rides that have ended, best first. Equal figures share a rank and the next rank is skipped: among
-- those from the best on, a rank is what it is among all. What is marked is put in by `store::query::board`.
with figures as (
    select 0 as rider_id, 0 as rides, 0 as value /* figures */
),

best as (
    select rider_id, rides, value::double as value
    from figures
    where value is not null
        and ($min::double is null or value >= $min::double)
        and ($max::double is null or value <= $max::double)
    order by value desc, rider_id
    limit 0 /* places */
),

ranked as (
    select rank() over (order by value desc) as rank, rider_id, value, rides from best
)

select ranked.rank, ranked.rider_id, rider.name, ranked.value, ranked.rides
from ranked
left join rider on rider.rider_id = ranked.rider_id
order by ranked.rank, ranked.rider_id
limit $limit
offset $offset
