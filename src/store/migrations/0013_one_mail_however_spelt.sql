-- The id of a mail is the same however its recipient's address is spelt, and so there is one of each.
create unique index outbox_by_message_id on ops.outbox (message_id);
