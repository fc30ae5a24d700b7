-- One mail as it left.
select payload from ops.outbox where message_id = $message_id::uuid
