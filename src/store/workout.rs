//! Peloton workouts: `historical.workout`, the course of each in `historical.workout_sample`, and what was deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, OptionalExt, named_params, params, types::Value};
use uuid::Uuid;

use super::{
    Doing, Result, Store, StoreError, lock,
    query::{self, kept_workouts, samples_of, workout_riders},
    value::{self, listed, parsed},
};
use crate::domain::workout::{
    Failure, Figure, KnownWorkout, Progress, StoredWorkout, Workout,
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

    fn stale_workout_files(&self) -> Result<Vec<NaiveDate>> {
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

    /// Everybody of whom there are workouts, or were.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn workout_riders(&self) -> Result<Vec<String>> {
        workout_riders(&*self.connection()?)
    }

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

/// Has the daily files of days written anew that are there, and made from an instant on.
fn spoil_files(connection: &Connection, days: &BTreeSet<NaiveDate>, files_from: Option<DateTime<Utc>>) -> Result<()> {
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
    let of_others = ids_of_others(connection, rider_name, &told)?;
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

/// Which of the ids at Peloton of these workouts are stored, or were, as another rider's.
fn ids_of_others(connection: &Connection, rider_name: &str, told: &[Workout]) -> Result<HashSet<String>> {
    let doing = || "cannot read whose workouts are stored".to_owned();
    let ids: Vec<&str> = told
        .iter()
        .filter_map(|workout| workout.peloton_workout_id.as_deref())
        .collect();
    let mut statement = connection
        .prepare(include_str!("sql/workout_ids_of_others.sql"))
        .doing(doing)?;
    let found = statement
        .query_map(params![rider_name, ids.join("\0")], |row| row.get(0))
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

fn optional<T>(value: Option<T>, of: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, of)
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
mod tests {
    use super::*;
    use crate::{
        domain::workout::{Figures, Kind, Precision, Source, Start},
        store::fixture::{NOW, at, number, open},
    };

    fn told(id: Option<&str>, start: &str, rider_name: &str) -> Workout {
        Workout {
            rider_name: rider_name.to_owned(),
            peloton_workout_id: id.map(str::to_owned),
            source: if id.is_some() { Source::Api } else { Source::Export },
            start: Start {
                at: at(start),
                local: at(start).naive_utc(),
                precision: Precision::Second,
            },
            discipline: "cycling".to_owned(),
            kind: Kind::TimeGoal,
            class_type: Some("Climb".to_owned()),
            title: Some("30 min O'Hills".to_owned()),
            instructor: Some("Ida Quist".to_owned()),
            class_seconds: Some(1800),
            ridden_seconds: Some(1700),
            is_live: Some(true),
            class_aired_at: Some(at(NOW)),
            is_personal_record: Some(false),
            leaderboard: Some((9, 80)),
            figures: Figures::default().with(Figure::TotalOutput, Some(250.4)),
        }
    }

    fn taken(new: u64, changed: u64, unchanged: u64, deleted: u64) -> (u64, u64, u64, u64) {
        (new, changed, unchanged, deleted)
    }

    fn take_in(store: &Store, told: &[Workout], courses: &HashMap<String, Vec<Sample>>) -> (u64, u64, u64, u64) {
        let TakenIn {
            new,
            changed,
            unchanged,
            deleted,
            of_others: _,
        } = store.take_in_workouts(told, courses, None).unwrap();
        (new, changed, unchanged, deleted)
    }

    #[test]
    fn a_workout_is_read_back_as_it_was_told_and_stays_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let workout = told(Some("a1"), "2026-01-09T10:00:07Z", "Ann");
        let sample = |second| Sample {
            second,
            values: [Some(100.0), None, None, None, Some(120.0), None, None],
        };
        let courses = HashMap::from([("a1".to_owned(), vec![sample(0), sample(5)])]);
        let none = HashMap::new();
        assert_eq!(
            take_in(&store, std::slice::from_ref(&workout), &courses),
            taken(1, 0, 0, 0)
        );
        let stored = store.workouts_of_day(at("2026-01-09T00:00:00Z").date_naive()).unwrap();
        assert_eq!(
            stored.iter().map(|stored| &stored.workout).collect::<Vec<_>>(),
            [&workout]
        );
        assert_eq!(
            number(
                &store,
                "select count(*) from historical.workout_sample where power_watts = 100"
            ),
            2
        );
        assert_eq!(
            take_in(&store, std::slice::from_ref(&workout), &none),
            taken(0, 0, 1, 0)
        );
        assert!(store.delete_workout(stored[0].workout_id, true).unwrap());
        assert!(!store.delete_workout(stored[0].workout_id, true).unwrap(), "it is gone");
        for again in [workout, told(None, "2026-01-09T10:00:00Z", "Ann")] {
            assert_eq!(take_in(&store, &[again], &none), taken(0, 0, 0, 1));
        }
        assert_eq!(number(&store, "select count(*) from historical.workout"), 0);
        assert_eq!(number(&store, "select count(*) from historical.workout_sample"), 0);
        assert!(store.known_workouts("Ann").unwrap()["a1"].is_deleted);
    }

    fn write_files(store: &Store) -> u64 {
        store.write_workout_files(|_, _| Ok::<_, StoreError>(())).unwrap()
    }

    #[test]
    fn a_daily_file_whose_workouts_change_while_it_is_written_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let of_day = [
            told(Some("a1"), "2026-01-09T10:00:07Z", "Ann"),
            told(Some("a2"), "2026-01-09T12:00:07Z", "Ann"),
        ];
        let from = Some(at("2026-01-01T00:00:00Z"));
        store.take_in_workouts(&of_day, &HashMap::new(), from).unwrap();
        let mut written = Vec::new();
        let mut write = |store: &Store, meanwhile: &dyn Fn()| {
            let write = |_, workouts: &[StoredWorkout]| {
                written.push(workouts.len());
                meanwhile();
                Ok::<_, StoreError>(())
            };
            store.write_workout_files(write).unwrap()
        };
        let delete = || {
            let deleted = store.known_workouts("Ann").unwrap()["a1"].workout_id;
            store.delete_workout(deleted, false).unwrap();
        };
        assert_eq!(write(&store, &delete), 1);
        assert_eq!(write(&store, &|| {}), 1);
        assert_eq!(write(&store, &|| {}), 0);
        assert_eq!(written, [2, 1]);
    }

    #[test]
    fn a_rider_who_is_forgotten_leaves_nothing_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let told = |id: &str, rider_name: &str| told(Some(id), &format!("2026-01-0{}T10:00:07Z", &id[1..]), rider_name);
        let sample = Sample {
            second: 0,
            values: [Some(100.0), None, None, None, None, None, None],
        };
        let courses = HashMap::from(["a1", "a2", "b1"].map(|id| (id.to_owned(), vec![sample])));
        let all = [told("a1", "Ann"), told("a2", "Ann"), told("b1", "Bea")];
        store
            .take_in_workouts(&all, &courses, Some(at("2026-01-01T00:00:00Z")))
            .unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        write_files(&store);
        store
            .delete_workout(store.known_workouts("Ann").unwrap()["a2"].workout_id, false)
            .unwrap();
        assert_eq!(store.forget_workouts_of("ANN").unwrap(), 1);
        assert_eq!(store.workout_riders().unwrap(), ["Bea"]);
        assert_eq!(number(&store, "select count(*) from historical.workout_sample"), 1);
        assert_eq!(
            store.stale_workout_files().unwrap(),
            [day("2026-01-01"), day("2026-01-02")]
        );
        assert_eq!(store.forget_workouts_of("Ann").unwrap(), 0);
    }

    #[test]
    fn a_workout_of_peloton_is_one_riders_even_when_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let none = HashMap::new();
        let of = |rider_name| told(Some("a1"), "2026-01-09T10:00:07Z", rider_name);
        let all_of = |rider_name| [of(rider_name), told(None, "2026-01-08T10:00:00Z", rider_name)];
        let taken_in = |told: &[Workout]| store.take_in_workouts(told, &none, None).unwrap();
        taken_in(&[of("Ann")]);
        let again = taken_in(&all_of("Bea"));
        assert_eq!((again.new, again.of_others), (1, 1));
        store
            .delete_workout(store.known_workouts("Ann").unwrap()["a1"].workout_id, false)
            .unwrap();
        assert_eq!(taken_in(&[of("Bea")]).of_others, 1);
        assert_eq!(taken_in(&[of("ann")]).deleted, 1, "for herself it is what was deleted");
    }

    #[test]
    fn a_workout_that_began_on_another_day_than_was_thought_leaves_the_file_of_that_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let from = Some(at("2026-01-01T00:00:00Z"));
        let guessed = |start: &str| {
            let mut workout = told(None, start, "Ann");
            workout.start.local = "2026-01-09T20:00:00".parse().unwrap();
            workout.start.precision = Precision::WallClock;
            [workout]
        };
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        store
            .take_in_workouts(&guessed("2026-01-09T20:00:00Z"), &HashMap::new(), from)
            .unwrap();
        write_files(&store);
        let moved = store
            .take_in_workouts(&guessed("2026-01-10T03:00:00Z"), &HashMap::new(), from)
            .unwrap();
        assert_eq!(moved.changed, 1);
        assert_eq!(
            store.stale_workout_files().unwrap(),
            [day("2026-01-09"), day("2026-01-10")]
        );
    }

    #[test]
    fn a_rider_is_one_however_their_name_is_spelt_and_others_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let none = HashMap::new();
        let start = "2026-01-09T10:00:07Z";
        assert_eq!(take_in(&store, &[told(None, start, "Ann")], &none), taken(1, 0, 0, 0));
        assert_eq!(take_in(&store, &[told(None, start, " ann ")], &none), taken(0, 0, 1, 0));
        assert_eq!(take_in(&store, &[told(None, start, "Bea")], &none), taken(1, 0, 0, 0));
        let read_to = |text| Progress {
            peloton_user_id: "u1".to_owned(),
            watermark: at(text),
        };
        store.set_peloton_progress("Ann", &read_to(NOW)).unwrap();
        store.set_peloton_progress("ann", &read_to(start)).unwrap();
        assert_eq!(store.peloton_progress("ANN").unwrap(), Some(read_to(start)));
        assert_eq!(store.peloton_progress("Bea").unwrap(), None);
    }
}
