insert into ops.deleted_workout
select
    workout_id, rider_name, peloton_workout_id, source, started_at, started_local, start_precision, discipline, kind,
    title, class_seconds, $deleted_at, $was_deleted_at_peloton
from historical.workout
where workout_id::varchar = $workout_id
