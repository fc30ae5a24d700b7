-- What the send ledger has of erased rides: alerts and word of their ends, whose topics begin with the ride.
create or replace temp table erased_message as
select message_id, kind
from ops.outbox
where (kind = 'heart_rate_alert' or starts_with(kind, 'ride_'))
    and split_part(topic, ' ', 1) in (select cast(ride_id as varchar) from temp.erased_ride)
