select
    message_id::varchar as message_id, kind, topic, recipient, state, subject, content_hash,
    epoch_us(created_at) as created_at, attempts, epoch_us(attempted_at) as attempted_at,
    epoch_us(settled_at) as settled_at, detail, payload
from ops.outbox
where outbox.message_id = ?1::uuid
