-- Workouts, newest first. Of those that were deleted there is what it takes to know them again.
with everything as (
    select *, false as is_deleted from historical.workout
    union all by name
    select * exclude (deleted_at, was_deleted_at_peloton), true as is_deleted from ops.deleted_workout
)

select
    workout_id::varchar, rider_name, peloton_workout_id, source, epoch_us(started_at), epoch_us(started_local),
    start_precision, discipline, kind, class_type, title, instructor, class_seconds, ridden_seconds, is_live,
    epoch_us(class_aired_at), is_personal_record, leaderboard_rank, leaderboard_riders, total_output_kilojoules,
    power_watts_mean, resistance_percent_mean, cadence_rpm_mean, speed_metres_per_second_mean, distance_metres,
    energy_kilocalories, heart_rate_bpm_mean, incline_percent_mean, pace_seconds_per_kilometre_mean, effort_points,
    ftp_watts, graph_coverage, is_deleted
from everything as workout
where true /* conditions */
order by started_at desc, workout_id desc
limit $limit
