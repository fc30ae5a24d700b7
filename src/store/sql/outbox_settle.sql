-- How an attempt ended. A mail to be tried again has had its last chance after ?5 attempts.
update ops.outbox
set state = case when ?2 = 'waiting' and attempts >= ?5 then 'dead' else ?2 end,
    detail = ?3,
    settled_at = case when ?2 = 'waiting' and attempts < ?5 then null else ?4::timestamptz end
where message_id = ?1::uuid and state = 'sending'
returning state
