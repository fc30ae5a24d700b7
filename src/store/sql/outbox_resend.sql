update ops.outbox
set state = 'waiting', attempts = 0, attempted_at = null, settled_at = null
where message_id = ?1::uuid and state <> 'sending'
