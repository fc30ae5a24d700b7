-- The ids at Peloton of what is stored, or was, as another rider's; of those that are told alone, where any are.
with
    told as materialized (select unnest(string_split(?2::varchar, chr(0))) as peloton_workout_id),
    of_others as (
        select peloton_workout_id from historical.workout where rider_name <> ?1
        union
        select peloton_workout_id from ops.deleted_workout where rider_name <> ?1
    )
select peloton_workout_id
from of_others
where peloton_workout_id is not null and (?2::varchar is null or peloton_workout_id in (from told))
