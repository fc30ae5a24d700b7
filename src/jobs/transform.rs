//! Fills one daily table for one day: loads its SELECT, runs it, replaces the day's rows.

use std::path::Path;

use anyhow::Result;
use chrono::NaiveDate;

use super::sql_files;
use crate::{
    domain::run::JobStatus,
    store::{
        Store,
        daily_table::{self, ChangedTypes},
    },
};

/// Fills `historical.<table>` for `day`. The status counts `rows`, the rows the day has now.
///
/// # Errors
/// There is no SQL for the table, it is wrong, or it fails on the day's rows; the table is as it was before.
pub fn run(
    store: &Store,
    jobs_dir: Option<&Path>,
    table: &str,
    day: NaiveDate,
    changed_types: ChangedTypes,
) -> Result<JobStatus> {
    let file = sql_files::load(jobs_dir, table)?;
    let rows = daily_table::materialise(store, &file, day, changed_types)?;
    Ok(JobStatus::done().count("rows", rows))
}
