-- Mails, newest first. The recipient is masked where it is read.
select
    message_id::varchar, kind, topic, recipient, state, subject, epoch_us(created_at), attempts, epoch_us(attempted_at),
    epoch_us(settled_at), detail
from ops.outbox
where not starts_with(kind, 'ride_')
order by created_at desc, message_id
limit $limit
