    -- The figures of riders by their rides, one by one.
    select ride.rider_id, count(*) as rides, 0 /* of rides */ as value
    from ride /* riders */
    where ride.rider_id is not null
        and business_day is not null
        and true /* conditions */
    group by ride.rider_id
