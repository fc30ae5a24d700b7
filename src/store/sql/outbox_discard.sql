update ops.outbox
set state = 'discarded', settled_at = ?2::timestamptz
where message_id = ?1::uuid and state not in ('sending', 'sent')
