-- Heart-rate alerts, newest first, with what became of their mails. A mail's topic is its ride, direction and level.
with mail as (
    select topic, min(state) as state from ops.outbox where kind = $kind::varchar group by topic
),

known as (
    select * from ops.stored_alert
    where ($rider_id::bigint is null or rider_id = $rider_id::bigint)
        and (
            $before::timestamptz is null or (raised_at, ride_id) < ($before::timestamptz, $before_ride::uuid)
        )
)

select
    known.ride_id::varchar, ride.business_day::varchar, known.rider_id, epoch_us(known.raised_at), known.second,
    known.direction, known.level, known.heart_rate_bpm, known.limit_bpm, known.limit_source, known.sustained_seconds,
    mail.state
from known
left join main.ride as ride using (ride_id)
left join mail on mail.topic = known.ride_id::varchar || ' ' || known.direction || ' ' || known.level
where $day::date is null or ride.business_day = $day::date
order by known.raised_at desc, known.ride_id desc
limit $limit
