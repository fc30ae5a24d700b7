-- Riders by one measure over rides that have ended, best first. Equal figures share a rank and the next rank is skipped: among
-- those from the best on, a rank is what it is among all. What is marked is put in by `store::query::board`.
with figures as not materialized (
    select 0 as rider_id, 0 as rides, 0 as value /* figures */
),

best as materialized (
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
),

-- As in the view `rider`, without reading what all others are called.
described as (
    select described.rider_id, described.seen_at, described.name
    from daily.rider as described
    inner join best on best.rider_id = described.rider_id
    union all
    select described.rider_id, described.valid_from as seen_at, described.name
    from historical.rider as described
    inner join best on best.rider_id = described.rider_id
    where described.valid_to is null
),

named as (
    select rider_id, name
    from described
    qualify row_number() over (partition by rider_id order by seen_at desc) = 1
)

select ranked.rank, ranked.rider_id, named.name, ranked.value, ranked.rides
from ranked
left join named on named.rider_id = ranked.rider_id
order by ranked.rank, ranked.rider_id
limit $limit
offset $offset
