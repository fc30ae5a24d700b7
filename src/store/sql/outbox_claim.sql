-- The oldest waiting mail that is due, marked as being sent. A mail that was tried n times is due 2^(n-1) minutes after
-- the last time, at most 64. ?2 is ?1 in microseconds: arithmetic on instants is not left to the database's zones. ?3 is
-- the urgent kind, ?4 whether a mail of it is wanted or one of the others. ?5 are the kinds of which none goes to whoever
-- has unsubscribed.
update ops.outbox
set state = 'sending', attempts = attempts + 1, attempted_at = ?1::timestamptz
where state = 'waiting' and message_id = (
    select message_id
    from ops.outbox
    where state = 'waiting' and (kind = ?3) = ?4 and not starts_with(kind, 'ride_') and (
        attempts = 0 or epoch_us(attempted_at) + 60000000::bigint * (1 << least(attempts - 1, 6)) <= ?2
    ) and not (
        list_contains(string_split(?5, ','), kind)
        and lower(recipient) in (select address from ops.mail_reader where unsubscribed_at is not null)
    )
    order by created_at, message_id
    limit 1
)
returning message_id::varchar, kind, topic, recipient, subject, content_hash, payload
