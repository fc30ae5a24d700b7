-- Tables with rows of single rides, or else of single riders, but for those that say which stream told of a ride and what
-- was erased, and for what is counted again.
select schema_name || '.' || table_name, bool_or(column_name = 'ride_id')
from duckdb_columns()
inner join duckdb_tables() using (database_name, schema_name, table_name)
where database_name = current_database()
    and column_name in ('ride_id', 'rider_id')
    and (schema_name in ('daily', 'historical') or table_name = 'rider_limit')
    and table_name <> 'rider_total'
group by all
order by 1
