//! Sealing a finished day, and pruning the buffer of what history holds.

use std::{fs, path::Path};

use chrono::NaiveDate;
use duckdb::{Connection, params};

use super::{
    Doing, Result, Store, StoreError,
    lake::{self, LakeFile},
    value::{self, parsed},
    views::quoted,
};

/// What sealing a day came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Rides of the day.
    pub rides: i64,
    /// Readings of the day.
    pub readings: i64,
    /// Whether history holds something else than before.
    pub has_changed: bool,
    /// How often the day was sealed with a change; more than once means restated.
    pub seal_count: i64,
}

/// What pruning removed from the buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Days.
    pub days: u64,
    /// Rides.
    pub rides: u64,
    /// Readings.
    pub readings: u64,
}

impl Store {
    /// Seals `day`: its rides, from the buffer and from an earlier sealing, become history, and their readings one
    /// sorted Parquet file of the lake. Sealing again what was sealed changes nothing. A ride that history has in
    /// another day, as it was reopened and ended in this one, is moved: the other day is sealed again without it.
    ///
    /// # Errors
    /// When the rides' counts and the readings written do not agree, or something cannot be read or written; the day is
    /// then as it was.
    pub fn seal(&self, day: NaiveDate) -> Result<Sealed> {
        let _lake = self.hold_lake()?;
        let moved_from = self.read_days(include_str!("sql/days_of_moved_rides.sql"), params![day.to_string()])?;
        for &other in &moved_from {
            self.seal_one(other, true)?;
            tracing::info!("rides of {other} went on and ended in {day}: {other} was sealed again without them");
        }
        self.seal_one(day, false)
    }

    /// Seals one day; with `has_lost_rides` it stays due, so that what comes after it is made again too.
    fn seal_one(&self, day: NaiveDate, has_lost_rides: bool) -> Result<Sealed> {
        let sealed = self.try_seal(day, has_lost_rides);
        self.inner.known_rides.forget_all();
        if sealed.is_err() {
            // On a full disk every byte counts. What a transaction has named meanwhile is completed at the next start.
            let connection = self.lasting_connection()?;
            lake::discard_asides(&connection, self.data_dir(), day)?;
        }
        sealed
    }

    fn try_seal(&self, day: NaiveDate, has_lost_rides: bool) -> Result<Sealed> {
        let connection = self.connection()?;
        connection
            .execute_batch("begin")
            .doing(|| format!("cannot begin to seal {day}"))?;
        let seal = Seal {
            connection: &connection,
            data_dir: self.data_dir(),
            day,
        };
        let files = seal.write_lake()?;
        let [rides, readings] = &files;
        let before = seal.recorded_hashes()?;
        let are_other_files = before.as_ref() != Some(&[rides.content_hash.clone(), readings.content_hash.clone()]);
        // Rides that an earlier version wrote make another file now, and say the same.
        let are_same_readings = before.is_some_and(|[_, before]| before == readings.content_hash);
        let has_changed = are_other_files && (seal.stage_moved_rides()? || !are_same_readings);
        if are_other_files {
            // Whoever is new is told of one day only.
            seal.later_first_days()?
                .into_iter()
                .try_for_each(|later| mark_changed(&connection, later))?;
            seal.write_history()?;
            files.iter().try_for_each(|file| file.record(&connection))?;
            if has_changed {
                seal.record(
                    rides.row_count,
                    readings.row_count,
                    value::timestamp(self.clock().now()),
                )?;
            }
            seal.unmark()?;
            // In this transaction: once it is sealed again, nothing else tells that it changed.
            if has_lost_rides {
                mark_changed(&connection, day)?;
            }
            connection
                .execute_batch("commit")
                .doing(|| format!("cannot seal {day}"))?;
            files
                .iter()
                .try_for_each(|file| lake::rename(self.data_dir(), file.table, day))?;
            self.refresh_views()?;
        } else {
            seal.unmark()?;
            connection
                .execute_batch("commit")
                .doing(|| format!("cannot leave {day} as it was"))?;
            for file in &files {
                let aside = lake::aside(self.data_dir(), file.table, day);
                fs::remove_file(&aside).doing(|| format!("cannot remove `{}`", aside.display()))?;
            }
            // An earlier run may have ended between the day's sealing and its views.
            self.refresh_views()?;
        }
        let seal_count = connection
            .query_row(
                "select seal_count from ops.sealed_day where business_day = ?",
                [day.to_string()],
                |row| row.get(0),
            )
            .doing(|| format!("cannot read back the sealing of {day}"))?;
        Ok(Sealed {
            rides: rides.row_count,
            readings: readings.row_count,
            has_changed,
            seal_count,
        })
    }

    /// Removes from the buffer what belongs to sealed days up to `last`, as far as history verifiably holds it: every
    /// ride with its number of readings, and the lake's file with all its rows.
    ///
    /// # Errors
    /// When a lake file does not hold what was recorded of it; nothing of that day is removed then.
    pub fn prune(&self, last: NaiveDate) -> Result<Pruned> {
        let _lake = self.hold_lake()?;
        let connection = self.connection()?;
        let doing = || "cannot prune the buffer".to_owned();
        let mut statement = connection.prepare(include_str!("sql/prunable_days.sql")).doing(doing)?;
        let days = statement
            .query_map([last.to_string()], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                ))
            })
            .doing(doing)?
            .collect::<duckdb::Result<Vec<_>>>()
            .doing(doing)?;
        let mut pruned = Pruned::default();
        for (day, path, recorded) in days {
            let found = lake::hash_file(&self.data_dir().join(&path))
                .doing(|| format!("cannot read `{path}`, without which nothing of {day} is pruned"))?;
            if found != recorded {
                return Err(StoreError::Inconsistent(format!(
                    "`{path}` is not the file that was sealed; nothing of {day} is pruned. Take that file from a \
                     backup, or move it away, restart and compact {day} again while the buffer still holds it"
                )));
            }
            let (rides, readings) = self.transaction(doing, |connection| prune_day(connection, &day))?;
            pruned.rides += rides;
            pruned.readings += readings;
            pruned.days += 1;
        }
        if pruned.days > 0 {
            self.checkpoint();
        }
        Ok(pruned)
    }
}

/// Removes what history holds of `day` from the buffer; answers how many rides and readings that were.
fn prune_day(connection: &Connection, day: &str) -> Result<(u64, u64)> {
    let doing = || format!("cannot prune {day} from the buffer");
    connection
        .execute(include_str!("sql/stage_prunable_rides.sql"), [day])
        .doing(doing)?;
    let removed = |table: &str| {
        let sql = format!("delete from {table} where ride_id in (select ride_id from temp.prunable_ride)");
        connection.execute(&sql, []).doing(doing).map(|rows| rows as u64)
    };
    let readings = removed("daily.reading")?;
    let rides = removed("daily.ride")?;
    removed("daily.alert")?;
    removed("ops.ride_source")?;
    connection
        .execute_batch(include_str!("sql/fold_riders.sql"))
        .doing(doing)?;
    connection
        .execute(include_str!("sql/prune_riders.sql"), [])
        .doing(doing)?;
    Ok((rides, readings))
}

/// Has a sealed day sealed again.
pub(super) fn mark_changed(connection: &Connection, day: NaiveDate) -> Result<()> {
    connection
        .execute(include_str!("sql/mark_changed_day.sql"), [day.to_string()])
        .map(drop)
        .doing(|| format!("cannot mark that {day} has changed"))
}

/// Counts the rides of the riders that are staged. Of a day that is new to history it reads no other day: their total is what
/// it was, and the rides of the day.
fn recount(is_new_day: bool) -> String {
    let sql = include_str!("sql/recount_riders.sql");
    let (all, with_new) = (
        "select * from ops.parts_of('historical.ride')",
        "select * from historical.rider_total union all by name select * from ops.parts_of('temp.sealed_ride')",
    );
    if is_new_day {
        sql.replace(all, with_new)
    } else {
        sql.to_owned()
    }
}

struct Seal<'a> {
    connection: &'a Connection,
    data_dir: &'a Path,
    day: NaiveDate,
}

impl Seal<'_> {
    /// Writes the day's rides and readings aside, and verifies that they agree.
    fn write_lake(&self) -> Result<[LakeFile; 2]> {
        let day = self.day;
        self.connection
            .execute(include_str!("sql/stage_sealed_rides.sql"), [day.to_string()])
            .doing(|| format!("cannot gather the rides of {day}"))?;
        let rides = self.copy(
            "ride",
            "select * exclude (business_day) from temp.sealed_ride order by ride_id",
        )?;
        let sealed_before: bool = self
            .connection
            .query_row(
                "select count(*) > 0 from ops.lake_file where table_name = 'reading' and business_day = ?",
                [day.to_string()],
                |row| row.get(0),
            )
            .doing(|| format!("cannot read whether {day} was sealed before"))?;
        let readings = if sealed_before {
            self.copy(
                "reading",
                &include_str!("sql/sealed_readings_again.sql").replace(":day", &quoted(&day.to_string())),
            )?
        } else {
            self.copy("reading", include_str!("sql/sealed_readings.sql"))?
        };
        let expected: i64 = self
            .connection
            .query_row(
                "select coalesce(sum(reading_count), 0)::bigint from temp.sealed_ride",
                [],
                |row| row.get(0),
            )
            .doing(|| format!("cannot add up the readings of {day}"))?;
        if expected != readings.row_count {
            return Err(StoreError::Inconsistent(format!(
                "the rides of {day} count {expected} readings, but {} were found; the day is left as it was",
                readings.row_count
            )));
        }
        Ok([rides, readings])
    }

    /// Later days in which other riders are new, by what is to be sealed.
    fn later_first_days(&self) -> Result<Vec<NaiveDate>> {
        let doing = || format!("cannot look for riders who were new after {}", self.day);
        let mut statement = self
            .connection
            .prepare(include_str!("sql/days_of_first_rides.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map([self.day.to_string()], |row| parsed(row, 0))
            .doing(doing)?;
        rows.collect::<duckdb::Result<_>>().doing(doing)
    }

    fn copy(&self, table: &'static str, select: &str) -> Result<LakeFile> {
        let path = lake::aside(self.data_dir, table, self.day);
        let doing = || format!("cannot write `{}`; is the disk full?", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).doing(doing)?;
        }
        let target = quoted(&path.to_string_lossy());
        self.connection
            .execute_batch(&format!(
                "copy ({select}) to {target} (format parquet, compression zstd)"
            ))
            .doing(doing)?;
        Ok(LakeFile {
            table,
            day: self.day,
            content_hash: lake::hash_file(&path).doing(doing)?,
            size_bytes: i64::try_from(fs::metadata(&path).doing(doing)?.len()).unwrap_or(i64::MAX),
            row_count: lake::count_rows(self.connection, &path)?,
        })
    }

    /// Hashes of the ride file and the reading file of an earlier sealing.
    fn recorded_hashes(&self) -> Result<Option<[String; 2]>> {
        let hash = |table: &str| -> Result<Option<String>> {
            self.connection
                .query_row(
                    "select max(content_hash) from ops.lake_file where table_name = ? and business_day = ?",
                    params![table, self.day.to_string()],
                    |row| row.get(0),
                )
                .doing(|| format!("cannot read the lake files of {}", self.day))
        };
        Ok(hash("ride")?
            .zip(hash("reading")?)
            .map(|(ride, reading)| [ride, reading]))
    }

    /// Stages the rides that only history or only those about to be sealed have, or that one has otherwise than the other; answers
    /// whether there are any.
    fn stage_moved_rides(&self) -> Result<bool> {
        let doing = || format!("cannot compare the rides of {} with those sealed before", self.day);
        self.connection
            .execute(include_str!("sql/stage_moved_rides.sql"), [self.day.to_string()])
            .doing(doing)?;
        self.connection
            .query_row("select exists (from temp.moved_ride)", [], |row| row.get(0))
            .doing(doing)
    }

    fn write_history(&self) -> Result<()> {
        let doing = || format!("cannot write the history of {}", self.day);
        let day = self.day.to_string();
        self.connection
            .execute(include_str!("sql/stage_leaving_rides.sql"), [&day])
            .doing(doing)?;
        self.connection
            .execute(include_str!("sql/return_readings.sql"), [&day])
            .doing(doing)?;
        self.connection
            .execute(include_str!("sql/return_alerts.sql"), [&day])
            .doing(doing)?;
        self.connection
            .execute(include_str!("sql/stage_recounted_riders.sql"), [])
            .doing(doing)?;
        let is_new: bool = self
            .connection
            .query_row(
                "select not exists (from historical.ride where business_day = ?)",
                [&day],
                |row| row.get(0),
            )
            .doing(doing)?;
        self.connection
            .execute("delete from historical.ride where business_day = ?", [&day])
            .doing(doing)?;
        self.connection
            .execute(
                "insert into historical.ride select * from temp.sealed_ride order by ride_id",
                [],
            )
            .doing(doing)?;
        self.connection.execute_batch(&recount(is_new)).doing(doing)?;
        self.connection
            .execute(include_str!("sql/stage_sealed_alerts.sql"), [&day])
            .doing(doing)?;
        self.connection
            .execute("delete from historical.alert where business_day = ?", [&day])
            .doing(doing)?;
        self.connection
            .execute("insert into historical.alert select * from temp.sealed_alert", [])
            .doing(doing)?;
        self.connection
            .execute_batch(include_str!("sql/fold_riders.sql"))
            .doing(doing)
    }

    /// What was put in place is in history now.
    fn unmark(&self) -> Result<()> {
        self.connection
            .execute(
                "delete from ops.changed_day where business_day = ?",
                [self.day.to_string()],
            )
            .map(drop)
            .doing(|| format!("cannot record that {} is sealed again", self.day))
    }

    fn record(&self, rides: i64, readings: i64, now: duckdb::types::Value) -> Result<()> {
        let doing = || format!("cannot record that {} is sealed", self.day);
        let count: i64 = self
            .connection
            .query_row(
                "select coalesce(max(seal_count), 0)::bigint from ops.sealed_day where business_day = ?",
                [self.day.to_string()],
                |row| row.get(0),
            )
            .doing(doing)?;
        self.connection
            .execute(
                "delete from ops.sealed_day where business_day = ?",
                [self.day.to_string()],
            )
            .doing(doing)?;
        self.connection
            .execute(
                "insert into ops.sealed_day values (?, ?, ?, ?, ?)",
                params![self.day.to_string(), now, rides, readings, count + 1],
            )
            .map(drop)
            .doing(doing)
    }
}
