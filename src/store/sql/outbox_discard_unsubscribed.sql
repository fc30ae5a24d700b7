-- What waits for whoever has unsubscribed since it was queued, of the kinds in ?1.
update ops.outbox
set state = 'discarded', detail = 'unsubscribed', settled_at = ?2::timestamptz
where state = 'waiting'
  and list_contains(string_split(?1, ','), kind)
  and lower(recipient) in (select address from ops.mail_reader where unsubscribed_at is not null)
