-- How many messages are in each state, of one kind and topic or of all, and how many of them leave when rides end.
select state, count(*), count(*) filter (where starts_with(kind, 'ride_'))
from ops.outbox
where (?1 is null or kind = ?1) and (?2 is null or topic = ?2)
group by state
