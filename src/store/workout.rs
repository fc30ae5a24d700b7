//! Peloton workouts: `historical.workout`, the course of each in `historical.workout_sample`, and what was deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, named_params, params, types::Value};
use uuid::Uuid;

use super::{
    Doing, Result, Store, lock,
    query::{self, kept_workouts, samples_of, workout_riders},
    value::{self, listed, optional},
    workout_file::spoil_files,
};
use crate::domain::workout::{
    Figure, KnownWorkout, StoredWorkout, Workout,
    graph::Sample,
    merge::{Became, Kept, Shelf},
};

/// What became of workouts that were taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// They were not stored before.
    pub new: u64,
    /// They were, and more or something else is known of them now.
    pub changed: u64,
    /// They were, and nothing is new.
    pub unchanged: u64,
    /// They were deleted before, and stay so.
    pub deleted: u64,
    /// By their ids at Peloton they are another rider's, and left out.
    pub of_others: u64,
}

impl Store {
    /// Takes workouts in: new ones, and what is new of those that are stored. `courses` by the ids at Peloton. Days from
    /// `files_from` on are to have a daily file.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn take_in_workouts(
        &self,
        told: &[Workout],
        courses: &HashMap<String, Vec<Sample>>,
        files_from: Option<DateTime<Utc>>,
    ) -> Result<TakenIn> {
        let doing = || "cannot store workouts".to_owned();
        let _turn = lock(&self.inner.workouts);
        self.transaction(doing, |connection| {
            let mut by_rider: BTreeMap<String, Vec<Workout>> = BTreeMap::new();
            for workout in told {
                by_rider
                    .entry(workout.rider_name.trim().to_lowercase())
                    .or_default()
                    .push(workout.clone());
            }
            let (mut taken, mut touched) = (TakenIn::default(), BTreeSet::new());
            for mut told in by_rider.into_values() {
                let rider_name = spelling(connection, told[0].rider_name.trim())?;
                for workout in &mut told {
                    workout.rider_name.clone_from(&rider_name);
                }
                touched.extend(take_in(connection, &rider_name, told, courses, &mut taken)?);
            }
            spoil_files(connection, &touched, files_from)?;
            Ok(taken)
        })
    }

    /// The rider's workouts that have an id of Peloton's, by that id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn known_workouts(&self, rider_name: &str) -> Result<HashMap<String, KnownWorkout>> {
        let connection = self.connection()?;
        let kept = kept_workouts(&connection, &spelling(&connection, rider_name.trim())?)?;
        let known = kept.into_iter().filter_map(|Kept { stored, is_deleted }| {
            let workout = stored.workout;
            let known = KnownWorkout {
                workout_id: stored.workout_id,
                started_at: workout.start.at,
                has_graph: workout.figures.get(Figure::GraphCoverage).is_some(),
                is_deleted,
            };
            Some((workout.peloton_workout_id?, known))
        });
        Ok(known.collect())
    }

    /// What is known of the rider's workouts that have an id of Peloton's, by that id, and how many samples their courses have;
    /// of none that is deleted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn workouts_by_peloton_id(&self, rider_name: &str) -> Result<HashMap<String, (Workout, usize)>> {
        let connection = self.connection()?;
        let kept = kept_workouts(&connection, &spelling(&connection, rider_name.trim())?)?;
        let doing = || "cannot read which courses of workouts there are".to_owned();
        let mut statement = connection
            .prepare("select workout_id::varchar, count(*) from historical.workout_sample group by all")
            .doing(doing)?;
        let lengths = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
            .doing(doing)?
            .collect::<duckdb::Result<HashMap<_, usize>>>()
            .doing(doing)?;
        let stored = kept.into_iter().filter(|kept| !kept.is_deleted).map(|kept| kept.stored);
        let stored = stored.filter_map(|stored| {
            let id = stored.workout.peloton_workout_id.clone()?;
            let samples = lengths.get(&stored.workout_id.to_string()).copied().unwrap_or(0);
            Some((id, (stored.workout, samples)))
        });
        Ok(stored.collect())
    }

    /// The ids at Peloton of all workouts that are stored, or were, as another rider's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn workouts_of_others(&self, rider_name: &str) -> Result<HashSet<String>> {
        let connection = self.connection()?;
        ids_of_others(&connection, &spelling(&connection, rider_name.trim())?, None)
    }

    /// The workouts that began on a day, UTC, by their start.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn workouts_of_day(&self, day: NaiveDate) -> Result<Vec<StoredWorkout>> {
        let filter = query::WorkoutFilter {
            started_on: Some(day),
            ..query::WorkoutFilter::default()
        };
        let mut found = query::workouts(self, &filter, None)?;
        found.reverse();
        Ok(found)
    }

    /// Deletes a workout; it stays deleted whoever tells of it again. False where there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_workout(&self, workout_id: Uuid, was_deleted_at_peloton: bool) -> Result<bool> {
        let doing = || format!("cannot delete the workout {workout_id}");
        let _turn = lock(&self.inner.workouts);
        let deleted_at = value::timestamp(self.clock().now());
        self.transaction(doing, |connection| {
            let id = workout_id.to_string();
            let found = connection
                .execute(
                    include_str!("sql/delete_workout.sql"),
                    named_params! {
                        "workout_id": id,
                        "deleted_at": deleted_at,
                        "was_deleted_at_peloton": was_deleted_at_peloton,
                    },
                )
                .doing(doing)?;
            connection
                .execute(
                    "update ops.workout_file set is_stale = true
                     from historical.workout
                     where workout_id::varchar = ? and day = started_at::date",
                    [&id],
                )
                .doing(doing)?;
            for table in ["workout", "workout_sample"] {
                connection
                    .execute(
                        &format!("delete from historical.{table} where workout_id::varchar = ?"),
                        [&id],
                    )
                    .doing(doing)?;
            }
            Ok(found > 0)
        })
    }

    /// Deletes everything that is known of a rider's workouts, and that there were any: told of again, they are new. Answers
    /// how many there were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_workouts_of(&self, rider_name: &str) -> Result<u64> {
        let doing = || "cannot delete the workouts of a rider".to_owned();
        let _turn = lock(&self.inner.workouts);
        self.transaction(doing, |connection| {
            let execute = |sql: &str| connection.execute(sql, [rider_name.trim()]).doing(doing);
            execute(
                "update ops.workout_file set is_stale = true
                 where day in (select started_at::date from historical.workout where lower(rider_name) = lower(?))",
            )?;
            execute(
                "delete from historical.workout_sample
                 where workout_id in (select workout_id from historical.workout where lower(rider_name) = lower(?))",
            )?;
            execute("delete from ops.deleted_workout where lower(rider_name) = lower(?)")?;
            execute("delete from ops.peloton_account where lower(rider_name) = lower(?)")?;
            execute("delete from ops.peloton_failure where lower(rider_name) = lower(?)")?;
            let deleted = execute("delete from historical.workout where lower(rider_name) = lower(?)")?;
            Ok(deleted as u64)
        })
    }

    /// Everybody of whom there are workouts, or were.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn workout_riders(&self) -> Result<Vec<String>> {
        workout_riders(&*self.connection()?)
    }
}

/// How a rider's name is spelt in what is stored, whatever its case.
fn spelling(connection: &Connection, rider_name: &str) -> Result<String> {
    let known = workout_riders(connection)?
        .into_iter()
        .find(|known| known.to_lowercase() == rider_name.to_lowercase());
    Ok(known.unwrap_or_else(|| rider_name.to_owned()))
}

fn take_in(
    connection: &Connection,
    rider_name: &str,
    mut told: Vec<Workout>,
    courses: &HashMap<String, Vec<Sample>>,
    taken: &mut TakenIn,
) -> Result<BTreeSet<NaiveDate>> {
    let ids: Vec<&str> = told
        .iter()
        .filter_map(|workout| workout.peloton_workout_id.as_deref())
        .collect();
    let of_others = ids_of_others(connection, rider_name, Some(&ids))?;
    let is_of_others = |workout: &Workout| {
        let id = workout.peloton_workout_id.as_ref();
        id.is_some_and(|id| of_others.contains(id))
    };
    let before = told.len();
    told.retain(|workout| !is_of_others(workout));
    taken.of_others += (before - told.len()) as u64;
    let kept = kept_workouts(connection, rider_name)?;
    let day = |stored: &StoredWorkout| stored.workout.start.at.date_naive();
    let days_before: Vec<NaiveDate> = kept.iter().map(|kept| day(&kept.stored)).collect();
    let mut shelf: Shelf = kept.into_iter().collect();
    let (mut new, mut changed) = (BTreeSet::new(), BTreeSet::new());
    for became in shelf.merge(told) {
        let (Became::New(place) | Became::Changed(place) | Became::Unchanged(place)) = became else {
            taken.deleted += 1;
            continue;
        };
        let is_course_new = write_course(connection, shelf.at(place), courses)?;
        match became {
            Became::New(_) => {
                taken.new += 1;
                new.insert(place);
            }
            Became::Unchanged(_) if !is_course_new => taken.unchanged += 1,
            _ => {
                taken.changed += 1;
                changed.insert(place);
            }
        }
    }
    let written: Vec<&StoredWorkout> = new.union(&changed).map(|place| shelf.at(*place)).collect();
    let stale = listed(changed.iter().map(|place| &shelf.at(*place).workout_id));
    write(connection, &written, &stale)?;
    // One that began on another day than was thought leaves the file of that.
    let left = changed.iter().filter_map(|place| days_before.get(*place).copied());
    Ok(written.into_iter().map(day).chain(left).collect())
}

/// The ids at Peloton that are stored, or were, as another's than the rider of this spelling; of those that are `told`, if any.
fn ids_of_others(connection: &Connection, rider_name: &str, told: Option<&[&str]>) -> Result<HashSet<String>> {
    let doing = || "cannot read whose workouts are stored".to_owned();
    let mut statement = connection
        .prepare(include_str!("sql/workout_ids_of_others.sql"))
        .doing(doing)?;
    let found = statement
        .query_map(params![rider_name, told.map(|ids| ids.join("\0"))], |row| row.get(0))
        .doing(doing)?;
    found.collect::<duckdb::Result<_>>().doing(doing)
}

/// Puts workouts in place of those that are `stale`, ids in a list.
fn write(connection: &Connection, workouts: &[&StoredWorkout], stale: &str) -> Result<()> {
    if workouts.is_empty() {
        return Ok(());
    }
    let doing = || "cannot write workouts".to_owned();
    connection
        .execute(
            "delete from historical.workout where workout_id::varchar in (select unnest(string_split(?, ',')))",
            [stale],
        )
        .doing(doing)?;
    let mut appender = connection.appender_to_db("workout", "historical").doing(doing)?;
    for stored in workouts {
        appender
            .append_row(duckdb::appender_params_from_iter(row_of(stored)))
            .doing(doing)?;
    }
    appender.flush().doing(doing)
}

/// Writes the course of a workout where one was told; answers whether that is another than was stored.
fn write_course(
    connection: &Connection,
    stored: &StoredWorkout,
    courses: &HashMap<String, Vec<Sample>>,
) -> Result<bool> {
    let doing = || "cannot write the course of a workout".to_owned();
    let id = stored.workout.peloton_workout_id.as_ref();
    let Some(samples) = id.and_then(|id| courses.get(id)) else {
        return Ok(false);
    };
    if *samples == samples_of(connection, stored.workout_id, i32::MIN, None)? {
        return Ok(false);
    }
    let workout_id = stored.workout_id.to_string();
    let sql = "delete from historical.workout_sample where workout_id = ?::uuid";
    connection.execute(sql, [&workout_id]).doing(doing)?;
    let mut appender = connection.appender_to_db("workout_sample", "historical").doing(doing)?;
    for sample in samples {
        let head = [Value::Text(workout_id.clone()), Value::Int(sample.second)];
        let values = sample.values.map(|value| optional(value, Value::Double));
        appender
            .append_row(duckdb::appender_params_from_iter(head.into_iter().chain(values)))
            .doing(doing)?;
    }
    appender.flush().doing(doing)?;
    Ok(true)
}

/// A row of `historical.workout`.
fn row_of(stored: &StoredWorkout) -> Vec<Value> {
    let workout = &stored.workout;
    let named = |name: &str| Value::Text(name.to_owned());
    let text = |text: &Option<String>| optional(text.clone(), Value::Text);
    let head = [
        Value::Text(stored.workout_id.to_string()),
        named(&workout.rider_name),
        text(&workout.peloton_workout_id),
        named(workout.source.name()),
        value::timestamp(workout.start.at),
        value::timestamp(workout.start.local.and_utc()),
        named(workout.start.precision.name()),
        named(&workout.discipline),
        named(workout.kind.name()),
        text(&workout.class_type),
        text(&workout.title),
        text(&workout.instructor),
        optional(workout.class_seconds, Value::Int),
        optional(workout.ridden_seconds, Value::Int),
        optional(workout.is_live, Value::Boolean),
        optional(workout.class_aired_at, value::timestamp),
        optional(workout.is_personal_record, Value::Boolean),
        optional(workout.leaderboard.map(|(rank, _)| rank), Value::Int),
        optional(workout.leaderboard.map(|(_, riders)| riders), Value::Int),
    ];
    let figures = Figure::ALL.map(|figure| optional(workout.figures.get(figure), Value::Double));
    head.into_iter().chain(figures).collect()
}

#[cfg(test)]
#[path = "workout_tests.rs"]
mod tests;
