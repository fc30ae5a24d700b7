//! The views that the API, the dashboard and `jobs/*.sql` read: `ride`, `reading`, `rider`, `rider_of_day`. Each is the buffer
//! of unsealed days and the history of sealed ones.

use std::path::Path;

use duckdb::Connection;

use super::{Doing, Result, Store, lock};

impl Store {
    /// Makes the views anew; to be called when the lake's files have changed.
    ///
    /// # Errors
    /// When a file of the lake is missing or damaged.
    pub fn refresh_views(&self) -> Result<()> {
        create(&lock(&self.inner.root), self.data_dir())
    }
}

/// Creates the views over the lake's files as `ops.lake_file` lists them.
pub(super) fn create(connection: &Connection, data_dir: &Path) -> Result<()> {
    let doing = || "cannot make the views over the lake; a file of `lake` in the data folder may be missing".to_owned();
    let mut statement = connection
        .prepare("select path from ops.lake_file where table_name = 'reading' order by business_day, shard")
        .doing(doing)?;
    let paths = statement.query_map([], |row| row.get::<_, String>(0)).doing(doing)?;
    let files = paths
        .map(|path| path.map(|path| quoted(&data_dir.join(path).to_string_lossy())))
        .collect::<duckdb::Result<Vec<_>>>()
        .doing(doing)?;
    // A view over no files cannot be made, so an empty lake is an empty table of the same shape.
    let lake = if files.is_empty() {
        "select *, null::date as date from daily.reading where false".to_owned()
    } else {
        format!(
            "select * from read_parquet([{}], hive_partitioning = true, hive_types = {{'date': date}})",
            files.join(", ")
        )
    };
    let newest_start: String = connection
        .query_row(
            "select coalesce(max(started_at)::varchar, '-infinity') from historical.ride",
            [],
            |row| row.get(0),
        )
        .doing(doing)?;
    let views = include_str!("sql/views.sql")
        .replace("select * from lake_files", &lake)
        .replace(
            "started_at <= timestamptz '-infinity'",
            &format!("started_at <= timestamptz {}", quoted(&newest_start)),
        );
    let made = connection.execute_batch(&views).doing(doing);
    if made.is_err() {
        // The failed transaction would keep every later one from beginning; what failed is said by `made`.
        connection.execute_batch("rollback").ok();
    }
    made
}

/// A text literal. View definitions cannot have parameters.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
