-- The oldest waiting message of a kind (?3) that is due, marked as being sent; see outbox_claim.sql. Word of a ride waits
-- until its files are there.
update ops.outbox
set state = 'sending', attempts = attempts + 1, attempted_at = ?1::timestamptz
where state = 'waiting' and message_id = (
    select message_id
    from ops.outbox
    where state = 'waiting' and kind = ?3 and (
        attempts = 0 or epoch_us(attempted_at) + 60000000::bigint * (1 << least(attempts - 1, 6)) <= ?2
    ) and (
        kind = 'ride_csv'
        or topic not in (select topic from ops.outbox where kind = 'ride_csv' and state in ('waiting', 'sending'))
    )
    order by created_at, message_id
    limit 1
)
returning message_id::varchar, kind, topic, recipient, subject, content_hash, payload
