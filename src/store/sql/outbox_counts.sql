select state, count(*)
from ops.outbox
where (?1 is null or kind = ?1) and (?2 is null or topic = ?2)
group by state
