-- Sealed days, each with what tells one sealing of it from another.
select
    business_day::varchar,
    concat_ws(
        ' ', seal_count, epoch_us(sealed_at),
        (select string_agg(content_hash, ' ' order by table_name, shard) from ops.lake_file as file
         where file.business_day = day.business_day)
    )
from ops.sealed_day as day
order by business_day
