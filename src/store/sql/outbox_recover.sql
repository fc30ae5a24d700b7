-- What was being sent when the process ended, or its end could not be recorded: what is urgent, ?1, or for programs, waits
-- again, the rest is for a person to decide. ?3 says whether only the urgent ones are meant or only the others; null, all.
update ops.outbox
set state = case when kind = ?1 or starts_with(kind, 'ride_') then 'waiting' else 'unknown' end,
    settled_at = case when kind = ?1 or starts_with(kind, 'ride_') then null else ?2::timestamptz end,
    detail = 'it was not recorded what became of this mail, so it may or may not have left'
where state = 'sending' and (?3 is null or (kind = ?1) = ?3 and not starts_with(kind, 'ride_'))
