-- Every sealed day and how often it was sealed, oldest first.
select business_day, max(seal_count)
from ops.sealed_day
group by business_day
order by business_day
