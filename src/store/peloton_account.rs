//! Accounts at Peloton: how far each was read, and why it was not when it was tried last.

use duckdb::{OptionalExt, params};

use super::{
    Doing, Result, Store, query,
    value::{self, optional},
};
use crate::domain::workout::{Failure, Progress};

impl Store {
    /// How far the account of a rider was read; none where it never was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn peloton_progress(&self, rider_name: &str) -> Result<Option<Progress>> {
        self.connection()?
            .query_row(
                "select peloton_user_id, epoch_us(watermark) from ops.peloton_account where lower(rider_name) = lower(?)",
                [rider_name],
                |row| {
                    Ok(Progress {
                        peloton_user_id: row.get(0)?,
                        watermark: query::instant(row, 1)?,
                    })
                },
            )
            .optional()
            .doing(|| "cannot read how far a Peloton account was read".to_owned())
    }

    /// Notes how far the account of a rider was read.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_peloton_progress(&self, rider_name: &str, progress: &Progress) -> Result<()> {
        let doing = || "cannot note how far a Peloton account was read".to_owned();
        self.transaction(doing, |connection| {
            connection
                .execute(
                    "delete from ops.peloton_account where lower(rider_name) = lower(?)",
                    [rider_name],
                )
                .doing(doing)?;
            connection
                .execute(
                    "insert into ops.peloton_account values (?, ?, ?)",
                    params![
                        rider_name,
                        progress.peloton_user_id,
                        value::timestamp(progress.watermark)
                    ],
                )
                .doing(doing)
                .map(drop)
        })
    }

    /// Why the account of a rider was not read when it was tried last; none where it was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn peloton_failure(&self, rider_name: &str) -> Result<Option<Failure>> {
        self.connection()?
            .query_row(
                "select epoch_us(failed_at), reason, needs_a_person, epoch_us(not_before) from ops.peloton_failure
                 where lower(rider_name) = lower(?)",
                [rider_name],
                |row| {
                    Ok(Failure {
                        failed_at: query::instant(row, 0)?,
                        reason: row.get(1)?,
                        needs_a_person: row.get(2)?,
                        not_before: query::maybe_instant(row, 3)?,
                    })
                },
            )
            .optional()
            .doing(|| "cannot read why a Peloton account was not read".to_owned())
    }

    /// Notes why the account of a rider was not read, or that it was.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_peloton_failure(&self, rider_name: &str, failure: Option<&Failure>) -> Result<()> {
        let doing = || "cannot note why a Peloton account was not read".to_owned();
        if self.peloton_failure(rider_name)?.as_ref() == failure {
            return Ok(());
        }
        self.transaction(doing, |connection| {
            let sql = "delete from ops.peloton_failure where lower(rider_name) = lower(?)";
            connection.execute(sql, [rider_name]).doing(doing)?;
            let Some(failure) = failure else { return Ok(()) };
            let row = params![
                rider_name,
                value::timestamp(failure.failed_at),
                failure.reason,
                failure.needs_a_person,
                optional(failure.not_before, value::timestamp),
            ];
            let sql = "insert into ops.peloton_failure values (?, ?, ?, ?, ?)";
            connection.execute(sql, row).doing(doing).map(drop)
        })
    }
}
