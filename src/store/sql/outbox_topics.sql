-- What there are messages of a kind about, whatever became of them.
select distinct topic
from ops.outbox
where kind = ?
order by topic
