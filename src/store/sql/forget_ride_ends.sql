-- Messages of rides that were sent before ?1. None of these rides can be told of again: they ended too long ago.
delete from ops.outbox
where starts_with(kind, 'ride_') and state in ('sent', 'discarded') and settled_at < ?1::timestamptz
