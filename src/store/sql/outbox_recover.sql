-- What was being sent when the process ended, or its end could not be recorded: what is urgent, ?1, or for programs, waits
-- again, the rest is for a person to decide. ?3 says which are meant: 'urgent', 'rides' or 'other'; null, all.
update ops.outbox
set state = case when kind = ?1 or starts_with(kind, 'ride_') then 'waiting' else 'unknown' end,
    settled_at = case when kind = ?1 or starts_with(kind, 'ride_') then null else ?2::timestamptz end,
    detail = 'it was not recorded what became of this mail, so it may or may not have left'
where state = 'sending' and (
    ?3 is null or ?3 = case when kind = ?1 then 'urgent' when starts_with(kind, 'ride_') then 'rides' else 'other' end
)
