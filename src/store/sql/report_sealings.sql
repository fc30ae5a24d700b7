-- How often each day was sealed with a change, and when: the last time comes last.
select business_day, seal_count, epoch_us(sealed_at)
from ops.sealed_day
where business_day between ? and ?
order by business_day, seal_count
