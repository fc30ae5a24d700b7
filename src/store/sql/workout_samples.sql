-- The course of a workout, in order.
select
    second, power_watts, cadence_rpm, resistance_percent, speed_metres_per_second, heart_rate_bpm, incline_percent,
    stroke_rate_spm
from historical.workout_sample
where workout_id = $workout_id::uuid and second > $after
order by second
limit $limit
