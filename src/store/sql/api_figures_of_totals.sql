    -- The figures of riders by what their rides add up to. History knows that of most of them; only those with rides that it
    -- does not count are added up here. What is marked as reopened stands there where a ride of history goes on.
    with part as (
        select total.rider_id, 1 as rides, 0 /* of a ride */ as amount, (amount is not null)::bigint as weight
        from ops.unsealed_ride as total /* riders */
        where total.rider_id is not null
            and business_day is not null
            and true /* conditions */
        /* reopened: */
        union all
        select total.rider_id, 1 as rides, 0 /* of a ride */ as amount, (amount is not null)::bigint as weight
        from historical.ride as total /* riders */
        anti join ops.reopened_ride using (ride_id)
        where total.rider_id in (select rider_id from ops.reopened_rider)
            and true /* conditions */
        union all
        select total.rider_id, 0 as rides, null as amount, 0 as weight
        from ops.reopened_rider as total /* riders */
        where true /* conditions */
        /* :reopened */
    )

    select total.rider_id, rides, 0 /* of a total */ as value
    from historical.rider_total as total /* riders */
    where total.rider_id not in (select rider_id from part)
        and true /* conditions */
    union all
    select rider_id, sum(rides) as rides, 0 /* of parts */ as value
    from (
        select rider_id, rides, 0 /* amount of a total */ as amount, 0 /* its weight */ as weight
        from historical.rider_total
        where rider_id in (select rider_id from part)
        /* reopened: */
            and rider_id not in (select rider_id from ops.reopened_rider)
        /* :reopened */
        union all
        select * from part
    )
    group by rider_id
    having sum(rides) > 0
