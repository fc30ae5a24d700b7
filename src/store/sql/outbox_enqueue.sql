-- A second mail of the same kind and topic to the same recipient, however spelt, changes nothing.
insert into ops.outbox (
    message_id, kind, topic, recipient, state, subject, content_hash, payload, created_at, attempts
)
values (?1::uuid, ?2, ?3, ?4, 'waiting', ?5, ?6, ?7, ?8::timestamptz, 0)
on conflict do nothing
