//! Peloton workouts.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use duckdb::{Connection, Row, ToSql, named_params};
use uuid::Uuid;

use super::{condition::Conditions, instant, maybe_instant, unreadable, uuid};
use crate::{
    domain::workout::{
        Figure, Figures, Kind, Precision, Source, Start, StoredWorkout, Workout,
        graph::{Metric, Sample},
        merge::Kept,
    },
    store::{Doing, Result, Store},
};

/// Which workouts. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct WorkoutFilter {
    /// Only this one.
    pub workout_id: Option<Uuid>,
    /// Only of these riders, as their names are spelt.
    pub rider_names: Option<Vec<String>>,
    /// Only of this discipline.
    pub discipline: Option<String>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only classes of this instructor; neither case nor accents matter.
    pub instructor: Option<String>,
    /// Only classes of so many whole minutes.
    pub class_minutes: Option<i32>,
    /// Only those that began on this day, UTC.
    pub started_on: Option<NaiveDate>,
    /// Only those that began on this day of the rider's calendar or later.
    pub first_day: Option<NaiveDate>,
    /// Only those that began on this day of the rider's calendar or before.
    pub last_day: Option<NaiveDate>,
    /// Only those that have this in their title, or in their instructor's name; neither case nor accents matter.
    pub text: Option<String>,
    /// The last of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Workouts, newest first; all of them without a `limit`.
///
/// # Errors
/// When the database cannot be read; so for every function here.
pub fn workouts(store: &Store, filter: &WorkoutFilter, limit: Option<u32>) -> Result<Vec<StoredWorkout>> {
    let plain = |column: &str| format!("strip_accents(lower({column}))");
    let day = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    let mut conditions = Conditions::default();
    conditions
        .when(Some(false), "is_deleted", "workout.is_deleted = $is_deleted")
        .when(
            filter.workout_id.map(|id| id.to_string()),
            "workout_id",
            "workout.workout_id = $workout_id::uuid",
        )
        .when(
            filter.rider_names.as_ref().map(|names| names.join("\0")),
            "rider_names",
            "list_contains(string_split($rider_names, chr(0)), workout.rider_name)",
        )
        .when(
            filter.discipline.clone(),
            "discipline",
            "workout.discipline = $discipline",
        )
        .when(filter.kind.map(Kind::name), "kind", "workout.kind = $kind")
        .when(
            filter.instructor.clone(),
            "instructor",
            &format!("{} = {}", plain("workout.instructor"), plain("$instructor")),
        )
        .when(
            filter.class_minutes,
            "class_minutes",
            "workout.class_seconds // 60 = $class_minutes",
        )
        .when(
            day(filter.started_on),
            "started_on",
            "workout.started_at::date = $started_on::date",
        )
        .when(
            day(filter.first_day),
            "first_day",
            "workout.started_local::date >= $first_day::date",
        )
        .when(
            day(filter.last_day),
            "last_day",
            "workout.started_local::date <= $last_day::date",
        )
        .when(
            filter.text.clone(),
            "text",
            &format!(
                "contains({}, {})",
                plain("concat_ws(chr(10), workout.title, workout.instructor)"),
                plain("$text")
            ),
        );
    if let Some((at, id)) = filter.after {
        conditions
            .when(
                Some(at.timestamp_micros()),
                "after",
                "epoch_us(workout.started_at) <= $after",
            )
            .when(
                Some(id.to_string()),
                "after_id",
                "(epoch_us(workout.started_at), workout.workout_id) < ($after, $after_id::uuid)",
            );
    }
    let connection = store.connection()?;
    let kept = read_all(&connection, &conditions, limit)?;
    Ok(kept.into_iter().map(|kept| kept.stored).collect())
}

/// All workouts of a rider, those that were deleted too.
pub(in crate::store) fn kept_workouts(connection: &Connection, rider_name: &str) -> Result<Vec<Kept>> {
    let mut conditions = Conditions::default();
    conditions.when(
        Some(rider_name.to_owned()),
        "rider_name",
        "workout.rider_name = $rider_name",
    );
    read_all(connection, &conditions, None)
}

/// Everybody of whom there are workouts, or were.
pub(in crate::store) fn workout_riders(connection: &Connection) -> Result<Vec<String>> {
    let doing = || "cannot read whose workouts are stored".to_owned();
    let sql = "select rider_name from historical.workout union select rider_name from ops.deleted_workout order by all";
    // Not cached: what was prepared while a table was empty finds it empty for ever.
    let mut statement = connection.prepare(sql).doing(doing)?;
    let names = statement.query_map([], |row| row.get(0)).doing(doing)?;
    names.collect::<duckdb::Result<_>>().doing(doing)
}

/// The steps of a workout's course behind second `after`, in order; all of them without a `limit`.
pub fn workout_samples(store: &Store, workout_id: Uuid, after: i32, limit: Option<u32>) -> Result<Vec<Sample>> {
    samples_of(&*store.connection()?, workout_id, after, limit)
}

/// The same, within a transaction.
pub(in crate::store) fn samples_of(
    connection: &Connection,
    workout_id: Uuid,
    after: i32,
    limit: Option<u32>,
) -> Result<Vec<Sample>> {
    let doing = || format!("cannot read the course of the workout {workout_id}");
    let mut statement = connection
        .prepare(include_str!("../sql/workout_samples.sql"))
        .doing(doing)?;
    let params = named_params! { "workout_id": workout_id.to_string(), "after": after, "limit": limit };
    let samples = statement
        .query_map(params, |row| {
            let mut values = [None; Metric::ALL.len()];
            for (column, value) in (1..).zip(&mut values) {
                *value = row.get(column)?;
            }
            let second = row.get(0)?;
            Ok(Sample { second, values })
        })
        .doing(doing)?;
    samples.collect::<duckdb::Result<_>>().doing(doing)
}

fn read_all(connection: &Connection, conditions: &Conditions, limit: Option<u32>) -> Result<Vec<Kept>> {
    let doing = || "cannot read workouts".to_owned();
    let sql = conditions.put_into(include_str!("../sql/workouts.sql"), "workout");
    let limit: &dyn ToSql = &limit;
    let mut statement = connection.prepare(&sql).doing(doing)?;
    let rows = statement
        .query_map(conditions.bound(&[("limit", limit)]).as_slice(), |row| {
            Ok(Kept {
                stored: stored(row)?,
                is_deleted: row.get(FIRST_FIGURE + Figure::ALL.len())?,
            })
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

/// Where the figures begin in a row.
const FIRST_FIGURE: usize = 19;

/// A row as `sql/workouts.sql` selects it.
fn stored(row: &Row<'_>) -> duckdb::Result<StoredWorkout> {
    let mut figures = Figures::default();
    for (place, figure) in (FIRST_FIGURE..).zip(Figure::ALL) {
        figures.set(figure, row.get(place)?);
    }
    let rank: Option<i32> = row.get(17)?;
    let workout = Workout {
        rider_name: row.get(1)?,
        peloton_workout_id: row.get(2)?,
        source: named(row, 3, Source::from_name)?,
        start: Start {
            at: instant(row, 4)?,
            local: local(row, 5)?,
            precision: named(row, 6, Precision::from_name)?,
        },
        discipline: row.get(7)?,
        kind: named(row, 8, Kind::from_name)?,
        class_type: row.get(9)?,
        title: row.get(10)?,
        instructor: row.get(11)?,
        class_seconds: row.get(12)?,
        ridden_seconds: row.get(13)?,
        is_live: row.get(14)?,
        class_aired_at: maybe_instant(row, 15)?,
        is_personal_record: row.get(16)?,
        leaderboard: rank.zip(row.get(18)?),
        figures,
    };
    Ok(StoredWorkout {
        workout_id: uuid(row, 0)?,
        workout,
    })
}

/// A timestamp without a zone, selected as microseconds.
fn local(row: &Row<'_>, column: usize) -> duckdb::Result<NaiveDateTime> {
    instant(row, column).map(|at| at.naive_utc())
}

fn named<T>(row: &Row<'_>, column: usize, of: impl FnOnce(&str) -> Option<T>) -> duckdb::Result<T> {
    let name: String = row.get(column)?;
    of(&name).ok_or_else(|| {
        unreadable(
            column,
            std::io::Error::other(format!("`{name}` is not known to this program")),
        )
    })
}
