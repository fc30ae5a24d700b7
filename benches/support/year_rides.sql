-- The rides of a day as sealing leaves them, in the order of their ids.
insert into historical.ride by name
with drawn as (
    select
        number,
        hash($day::varchar, number, 1) as chance,
        hash(chance) as another,
        60 + (chance % 3541)::integer as duration_seconds,
        timezone('Europe/London', $day::timestamp)
            + to_milliseconds(600000 + ((number + (another % 1000) / 1000.0) * 78000000 / $rides)::bigint) as started_at
    from range($rides) as made (number)
)

select
    (lpad(to_hex(epoch_ms(started_at)), 12, '0') || '7' || substr(md5(chance::varchar), 1, 3) || '8'
        || substr(md5(chance::varchar), 4, 15))::uuid as ride_id,
    $day::date as business_day,
    'SN' || lpad((another % 20000)::varchar, 5, '0') as bike_serial,
    1 + (hash(another) % $riders)::bigint as rider_id,
    started_at,
    started_at + to_seconds(duration_seconds) as ended_at,
    'marker' as end_reason,
    false as is_partial,
    duration_seconds,
    duration_seconds as reading_count,
    50.0 + (chance // 7 % 200000) / 997.0 as power_watts_mean,
    power_watts_mean * duration_seconds / 1000 as energy_kilojoules,
    power_watts_mean / 3.1 as power_watts_min,
    power_watts_mean * 1.9 + (another % 1000) / 7.0 as power_watts_max,
    100.0 + (chance // 11 % 60000) / 991.0 as heart_rate_bpm_mean,
    70 + (chance // 13 % 30)::integer as heart_rate_bpm_min,
    162 + (chance // 17 % 40)::integer as heart_rate_bpm_max,
    (chance // 19 % 20)::integer as dropout_seconds,
    60.0 + (chance // 23 % 30000) / 983.0 as cadence_rpm_mean,
    30 + (chance // 29 % 30)::integer as cadence_rpm_min,
    92 + (chance // 31 % 40)::integer as cadence_rpm_max,
    30.0 + (chance // 37 % 40000) / 977.0 as resistance_mean,
    10 + (chance // 41 % 20)::integer as resistance_min,
    75 + (chance // 43 % 25)::integer as resistance_max,
    0 as flagged_readings,
    0 as alert_count
from drawn
order by ride_id
