-- Which of the messages (a list of ids, in text) are in the send ledger.
select cast(message_id as varchar)
from ops.outbox
where message_id in (select cast(unnest(string_split($1, ',')) as uuid))
