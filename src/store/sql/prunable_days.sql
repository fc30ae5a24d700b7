-- Sealed days of which the buffer still holds rides, with the lake's file and its hash; none that is to be sealed again.
select cast(sealed.business_day as varchar), file.path, file.content_hash
from ops.sealed_day as sealed
inner join ops.lake_file as file on file.business_day = sealed.business_day and file.table_name = 'reading'
where sealed.business_day <= cast($1 as date)
    and sealed.business_day in (select business_day from daily.ride)
    and sealed.business_day not in (select business_day from ops.changed_day)
order by sealed.business_day
