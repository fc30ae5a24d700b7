-- The daily tables and their columns: whatever of `historical` has a business day and is not made by sealing.
select table_name, column_name, data_type
from duckdb_columns()
where database_name = current_database() and schema_name = 'historical' and not internal
    and table_name not in ('alert', 'reading', 'ride', 'rider', 'rider_total', 'workout', 'workout_sample')
    and table_name in (
        select table_name from duckdb_columns()
        where database_name = current_database() and schema_name = 'historical' and column_name = 'business_day'
    )
order by table_name, column_index
