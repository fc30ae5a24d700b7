-- How much there is to be erased: rides, readings, alerts, and of a rider (?1) descriptions and limits.
with buffered as (
    select ride_id, count(*) as readings
    from daily.reading
    where ride_id in (select ride_id from temp.erased_ride)
    group by ride_id
),

kept as (
    select ride_id, reading_count as readings
    from historical.ride
    where ride_id in (select ride_id from temp.erased_ride)
)

select
    (select count(distinct ride_id) from temp.erased_ride),
    (
        select coalesce(sum(greatest(coalesce(buffered.readings, 0), coalesce(kept.readings, 0))), 0)::bigint
        from buffered full outer join kept using (ride_id)
    ),
    (select count(*) from ops.stored_alert where ride_id in (select ride_id from temp.erased_ride)),
    (
        select count(*) from (
            select seen_at from daily.rider where rider_id = ?1
            union
            select valid_from from historical.rider where rider_id = ?1
        )
    ),
    (select count(*) from ops.rider_limit where rider_id = ?1)
