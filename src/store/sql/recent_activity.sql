-- What the rides of `recent_span.sql` come to, by the hour they began in and who rode.
select
    epoch_us(date_trunc('hour', started_at)), gender, age_band, count(*), count(*) filter (where ended_at is null),
    sum(duration_seconds)::bigint, sum(energy_kilojoules), coalesce(sum(power_watts_mean), 0), count(power_watts_mean),
    coalesce(sum(heart_rate_bpm_mean), 0), count(heart_rate_bpm_mean)
from recent
group by all
order by all
