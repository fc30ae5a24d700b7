-- What was sent of earlier ends of a ride, of which the topic begins with its id.
select payload
from ops.outbox
where kind = ?1 and recipient = ?2 and starts_with(topic, ?3) and topic <> ?4 and state = 'sent'
    and created_at <= (select created_at from ops.outbox where kind = ?1 and recipient = ?2 and topic = ?4)
order by created_at
