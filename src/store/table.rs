//! Rows of text as a Parquet file.

use super::{Doing, Result, Store, daily_table::quote};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// An instant.
    Instant,
    /// A UUID.
    Uuid,
}

impl ColumnType {
    fn sql(self) -> &'static str {
        match self {
            ColumnType::Text => "varchar",
            ColumnType::Integer => "bigint",
            ColumnType::Number => "double",
            ColumnType::Boolean => "boolean",
            ColumnType::Date => "date",
            ColumnType::Instant => "timestamptz",
            ColumnType::Uuid => "uuid",
        }
    }
}

impl Store {
    /// A Parquet file of `rows`, whose values are written as SQL casts them from text.
    ///
    /// # Errors
    /// When a value is not of its column's type, or there is no room for the file.
    pub fn parquet(&self, columns: &[(String, ColumnType)], rows: &[Vec<Option<String>>]) -> Result<Vec<u8>> {
        let doing = || "cannot write rows as Parquet".to_owned();
        let folder = tempfile::tempdir_in(self.data_dir()).doing(doing)?;
        let path = folder.path().join("rows.parquet");
        let connection = self.connection()?;
        let name = |(name, _): &(String, ColumnType)| quote(name);
        let texts: Vec<String> = columns
            .iter()
            .map(|column| format!("{} varchar", name(column)))
            .collect();
        let typed: Vec<String> = columns
            .iter()
            .map(|column| format!("{0}::{1} as {0}", name(column), column.1.sql()))
            .collect();
        let create = format!("create or replace temp table rows_of_an_answer ({})", texts.join(", "));
        connection.execute_batch(&create).doing(doing)?;
        {
            let mut appender = connection.appender("rows_of_an_answer").doing(doing)?;
            for row in rows {
                appender
                    .append_row(duckdb::appender_params_from_iter(row))
                    .doing(doing)?;
            }
        }
        let copy = format!(
            "copy (select {} from rows_of_an_answer) to {} (format parquet, compression zstd);
             drop table rows_of_an_answer",
            typed.join(", "),
            super::views::quoted(&path.to_string_lossy())
        );
        connection.execute_batch(&copy).doing(doing)?;
        std::fs::read(&path).doing(doing)
    }
}
