-- How often a day was sealed with a change, and when last.
select seal_count, epoch_us(sealed_at)
from ops.sealed_day
where business_day = ?
order by seal_count desc
limit 1
