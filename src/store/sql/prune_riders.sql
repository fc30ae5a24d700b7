-- Headers of rides that the buffer no longer holds, once history says the same.
delete from daily.rider
where seen_at < (select coalesce(min(started_at), 'infinity'::timestamptz) from daily.ride)
    and rider_id in (select rider_id from historical.rider)
