-- What was being sent when the process ended: what is urgent, or for programs, waits again, the rest is for a person to decide.
update ops.outbox
set state = case when kind = ?1 or starts_with(kind, 'ride_') then 'waiting' else 'unknown' end,
    settled_at = case when kind = ?1 or starts_with(kind, 'ride_') then null else ?2::timestamptz end,
    detail = 'the process ended while this mail was being sent, so it may or may not have left'
where state = 'sending'
