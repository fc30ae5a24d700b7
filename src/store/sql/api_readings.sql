-- A page of one ride's readings, in the order of the bike's counter. The ride's own span lets whole files be skipped.
select
    second, epoch_us(recorded_at), resistance, heart_rate_bpm, is_dropout, cadence_rpm, power_watts, is_flagged
from reading
where ride_id = $ride_id::uuid
    and ($day::date is null or business_day = $day::date)
    and second > $after
order by second
limit $limit
