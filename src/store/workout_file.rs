//! The daily files of workouts: of which days there are any, and which are to be written, in `ops.workout_file`.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Connection;

use super::{
    Doing, Result, Store, StoreError, lock,
    value::{self, parsed},
};
use crate::domain::workout::StoredWorkout;

impl Store {
    /// Has `write` write the daily files that are to be written, with a day's workouts by their start; answers how many. One
    /// writes at a time, and a file whose workouts change meanwhile stays one that is to be written.
    ///
    /// # Errors
    /// When the database cannot be read or written, or `write` fails; what was not written then is by the next call.
    pub fn write_workout_files<E: From<StoreError>>(
        &self,
        mut write: impl FnMut(NaiveDate, &[StoredWorkout]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let _turn = lock(&self.inner.workout_files);
        let days = self.stale_workout_files()?;
        for day in &days {
            let workouts = self.workouts_of_day(*day)?;
            write(*day, &workouts)?;
            self.workout_file_written(*day, &workouts)?;
        }
        Ok(days.len() as u64)
    }

    pub(super) fn stale_workout_files(&self) -> Result<Vec<NaiveDate>> {
        let doing = || "cannot read which daily files of workouts are to be written".to_owned();
        let connection = self.connection()?;
        let mut statement = connection
            .prepare("select day::varchar from ops.workout_file where is_stale order by day")
            .doing(doing)?;
        let days = statement.query_map([], |row| parsed(row, 0)).doing(doing)?;
        days.collect::<duckdb::Result<_>>().doing(doing)
    }

    /// Notes that the daily file of a day was written with these workouts, unless they are others by now.
    fn workout_file_written(&self, day: NaiveDate, written: &[StoredWorkout]) -> Result<()> {
        let doing = || format!("cannot note that the daily file of workouts of {day} was written");
        let _turn = lock(&self.inner.workouts);
        if self.workouts_of_day(day)? != written {
            return Ok(());
        }
        self.transaction(doing, |connection| {
            let sql = "update ops.workout_file set is_stale = false where day = ?";
            connection.execute(sql, [value::date(Some(day))]).doing(doing).map(drop)
        })
    }
}

/// Has the daily files of days written anew that are there, and made from an instant on.
pub(super) fn spoil_files(
    connection: &Connection,
    days: &BTreeSet<NaiveDate>,
    files_from: Option<DateTime<Utc>>,
) -> Result<()> {
    let doing = || "cannot note which daily files of workouts are to be written".to_owned();
    for day in days {
        let day_value = value::date(Some(*day));
        let found = connection
            .execute(
                "update ops.workout_file set is_stale = true where day = ?",
                [&day_value],
            )
            .doing(doing)?;
        if found == 0 && files_from.is_some_and(|from| *day >= from.date_naive()) {
            connection
                .execute("insert into ops.workout_file values (?, true)", [&day_value])
                .doing(doing)?;
        }
    }
    Ok(())
}
