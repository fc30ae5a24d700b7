-- What was erased, the newest first; only what is not finished where ?1.
select
    cast(erasure_id as varchar), cast(ride_id as varchar), rider_id, epoch_us(erased_at), asked_by, erased, days, files,
    epoch_us(finished_at)
from ops.erasure
where not ?1 or finished_at is null
order by erased_at desc, rowid desc
