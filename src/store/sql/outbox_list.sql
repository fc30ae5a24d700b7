-- Messages, newest first. What was sent to programs when rides ended is left out: nobody could find a mail in it.
select
    message_id::varchar as message_id, kind, topic, recipient, state, subject, content_hash,
    epoch_us(created_at) as created_at, attempts, epoch_us(attempted_at) as attempted_at,
    epoch_us(settled_at) as settled_at, detail
from ops.outbox
where (?1 is null or state = ?1) and (not starts_with(kind, 'ride_') or state <> 'sent')
order by outbox.created_at desc, outbox.message_id
limit ?2
