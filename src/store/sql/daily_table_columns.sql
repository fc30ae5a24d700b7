-- The columns of one table of `historical`, in order; none where there is no such table.
select column_name, data_type
from duckdb_columns()
where database_name = current_database() and schema_name = 'historical' and table_name = ?
order by column_index
