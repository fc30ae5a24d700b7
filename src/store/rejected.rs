//! Lines that were set aside.

use duckdb::params;

use super::{Doing, Result, Store};

/// A line that was set aside, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The topic, or the file's name.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When it was received, UTC text.
    pub received_at: String,
    /// Why.
    pub reason: String,
}

impl Store {
    /// Lines that were set aside, the newest first, `limit` at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rejected(&self, limit: u32) -> Result<Vec<Rejected>> {
        let doing = || "cannot read the rejected lines".to_owned();
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/rejected_list.sql")).doing(doing)?;
        let rows = statement
            .query_map([limit], |row| {
                Ok(Rejected {
                    topic: row.get(0)?,
                    partition: row.get(1)?,
                    offset: row.get(2)?,
                    received_at: row.get(3)?,
                    reason: row.get(4)?,
                })
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// The bytes of the lines set aside at an offset, of every topic and file.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rejected_raw(&self, partition: i32, offset: i64) -> Result<Vec<(String, Vec<u8>, String)>> {
        let doing = || format!("cannot read the rejected line {offset} of partition {partition}");
        let connection = self.connection()?;
        let mut statement = connection.prepare(include_str!("sql/rejected_raw.sql")).doing(doing)?;
        let rows = statement
            .query_map(params![partition, offset], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }
}
