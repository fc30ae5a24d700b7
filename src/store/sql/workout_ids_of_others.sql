with told as materialized (select unnest(string_split(?2, chr(0))) as peloton_workout_id)
select peloton_workout_id from historical.workout where rider_name <> ?1 and peloton_workout_id in (from told)
union
select peloton_workout_id from ops.deleted_workout where rider_name <> ?1 and peloton_workout_id in (from told)
