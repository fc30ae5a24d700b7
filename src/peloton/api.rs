//! Answers of Peloton's API, which nobody documents: every field may be missing.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Course, NO_RIDER, Told, UnknownFile, Unsaid, graph::graph, peloton_id, sync::STEP_SECONDS, time};
use crate::domain::workout::{Figure, Figures, Kind, Source, Workout, discipline, graph::Graph, plausible};

/// A workout of a list, or by itself.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a workout")]
struct ApiWorkout {
    id: String,
    status: Option<String>,
    start_time: Option<i64>,
    created_at: Option<i64>,
    end_time: Option<i64>,
    timezone: Option<String>,
    fitness_discipline: Option<String>,
    workout_type: Option<String>,
    name: Option<String>,
    title: Option<String>,
    /// Joules.
    total_work: Option<f64>,
    has_pedaling_metrics: Option<bool>,
    is_total_work_personal_record: Option<bool>,
    leaderboard_rank: Option<i32>,
    total_leaderboard_users: Option<i32>,
    ride: Option<ApiRide>,
    ftp_info: Option<ApiFtp>,
    effort_zones: Option<ApiEffort>,
}

/// The class; of a workout without one, six fields.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a class")]
struct ApiRide {
    title: Option<String>,
    /// Seconds; 0 of a class by distance.
    duration: Option<f64>,
    instructor_id: Option<String>,
    instructor: Option<ApiInstructor>,
    original_air_time: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an instructor")]
struct ApiInstructor {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an FTP")]
struct ApiFtp {
    ftp: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "effort points")]
struct ApiEffort {
    total_effort_points: Option<f64>,
}

/// Instructors' names by their ids.
pub(super) type Instructors = HashMap<String, String>;

/// Reads saved answers: one document, or one a line.
pub(super) fn read(bytes: &[u8], unsaid: &Unsaid<'_>) -> Result<Told, UnknownFile> {
    unsaid.rider_name.ok_or(UnknownFile(NO_RIDER.to_owned()))?;
    let mut told = Told::default();
    let damaged =
        |error: serde_json::Error| UnknownFile(format!("it begins as JSON and is damaged, or breaks off: {error}"));
    match serde_json::from_slice::<Value>(bytes) {
        Ok(document) => take(&mut told, "the document", &document, unsaid),
        Err(error) => {
            let mut lines = (1..)
                .zip(bytes.split(|byte| *byte == b'\n'))
                .filter(|(_, line)| !line.trim_ascii().is_empty())
                .map(|(line, bytes)| (line, serde_json::from_slice::<Value>(bytes)))
                .peekable();
            if lines.peek().is_none_or(|(_, first)| first.is_err()) {
                return Err(damaged(error));
            }
            for (line, document) in lines {
                let place = format!("line {line}");
                match document {
                    Ok(document) => take(&mut told, &place, &document, unsaid),
                    Err(error) => told.take(place, Err(format!("it is no JSON: {error}"))),
                }
            }
        }
    }
    Ok(told)
}

/// Takes in what one document holds: a workout, the course of one, or a list of them.
fn take(told: &mut Told, place: &str, document: &Value, unsaid: &Unsaid<'_>) {
    let Some(list) = document.get("data").unwrap_or(document).as_array() else {
        return take_item(told, place.to_owned(), document, unsaid);
    };
    for (number, item) in (1..).zip(list) {
        take_item(told, format!("{place}, item {number}"), item, unsaid);
    }
}

fn take_item(told: &mut Told, place: String, item: &Value, unsaid: &Unsaid<'_>) {
    if item.get("seconds_since_pedaling_start").is_none() {
        return told.take(place, workout(item, unsaid, &Instructors::new()));
    }
    match course(item) {
        Ok((peloton_workout_id, graph)) => told.courses.push(Course {
            place,
            peloton_workout_id,
            graph,
        }),
        Err(reason) => told.take(place, Err(reason)),
    }
}

/// A performance graph that was saved, and the id of its workout.
fn course(item: &Value) -> Result<(String, Graph), String> {
    let id = item.get("workout_id").and_then(Value::as_str);
    let id = id.ok_or("it is a performance graph without a `workout_id`, which says of which workout it is")?;
    Ok((peloton_id(id)?.to_owned(), graph(item, STEP_SECONDS)?))
}

/// The workout that an answer holds.
pub(super) fn workout(item: &Value, unsaid: &Unsaid<'_>, instructors: &Instructors) -> Result<Workout, String> {
    let item = ApiWorkout::deserialize(item).map_err(|error| format!("it is no workout: {}", plain(&error)))?;
    peloton_id(&item.id)?;
    if let Some(status) = item.status.as_deref().filter(|status| *status != "COMPLETE") {
        return Err(format!("it is {status}, not COMPLETE"));
    }
    let start = item.start_time.or(item.created_at).ok_or("it has no `start_time`")?;
    let at = time::unix(start).ok_or_else(|| format!("its `start_time` is no time: {start}"))?;
    let discipline = discipline(
        item.fitness_discipline
            .as_deref()
            .ok_or("it has no `fitness_discipline`")?,
    );
    let kind = kind(&item, &discipline);
    let ride = item.ride.as_ref();
    let taught_by = ride.filter(|_| kind == Kind::Class).and_then(|ride| {
        let named = ride.instructor.as_ref().and_then(|instructor| instructor.name.clone());
        named.or_else(|| {
            ride.instructor_id
                .as_ref()
                .map(|id| instructors.get(id).unwrap_or(id).clone())
        })
    });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast saturates, and classes take hours at most"
    )]
    let class_seconds = ride
        .and_then(|ride| ride.duration)
        .filter(|seconds| *seconds > 0.0)
        .map(|seconds| seconds as i32);
    // An end before the start says nothing; one that is out of every bound is refused below.
    let ridden_seconds = item
        .end_time
        .map(|end| i32::try_from(end.saturating_sub(start)).unwrap_or(i32::MAX))
        .filter(|seconds| *seconds >= 0);
    let output = item.total_work.map(|joules| joules / 1000.0);
    // Where nothing is pedalled, none is not 0.
    let output = output.filter(|output| *output != 0.0 || item.has_pedaling_metrics == Some(true));
    let workout = Workout {
        rider_name: unsaid.rider_name.ok_or(NO_RIDER)?.to_owned(),
        source: Source::Api,
        start: time::to_the_second(at, time::zone_of_api(item.timezone.as_deref(), unsaid)),
        discipline,
        kind,
        class_type: None,
        title: ride.and_then(|ride| ride.title.clone()).or(item.title),
        instructor: taught_by,
        class_seconds,
        ridden_seconds,
        is_live: None,
        class_aired_at: ride.and_then(|ride| time::unix(ride.original_air_time?)),
        is_personal_record: item.is_total_work_personal_record,
        leaderboard: item.leaderboard_rank.zip(item.total_leaderboard_users),
        figures: Figures::default()
            .with(Figure::TotalOutput, output)
            .with(
                Figure::Ftp,
                item.ftp_info.and_then(|info| info.ftp).filter(|ftp| *ftp > 0.0),
            )
            .with(
                Figure::Effort,
                item.effort_zones.and_then(|zones| zones.total_effort_points),
            ),
        peloton_workout_id: Some(item.id),
    };
    plausible(workout, unsaid.now)
}

/// What the parser says, without the names of our types.
fn plain(error: &serde_json::Error) -> String {
    let numbers = [
        ("f64", "a number"),
        ("i64", "a whole number"),
        ("i32", "a whole number"),
    ];
    numbers.iter().fold(error.to_string(), |text, (ours, plain)| {
        text.replace(&format!("expected {ours}"), &format!("expected {plain}"))
    })
}

/// What was followed. Of workouts without a class the instructor's name says it; where the ride is missing, the workout's.
fn kind(item: &ApiWorkout, discipline: &str) -> Kind {
    let instructor = item
        .ride
        .as_ref()
        .and_then(|ride| ride.instructor.as_ref()?.name.as_deref());
    match instructor {
        Some("JUST RIDE") => return Kind::JustRide,
        Some("TIME GOAL") => return Kind::TimeGoal,
        Some("ENTERTAINMENT") => return Kind::Entertainment,
        Some("LANEBREAK") => return Kind::Lanebreak,
        _ => {}
    }
    match (item.workout_type.as_deref(), item.name.as_deref()) {
        (Some("scenic"), _) => Kind::Scenic,
        (Some("freestyle"), Some("Lanebreak Ride")) => Kind::Lanebreak,
        (Some("freestyle"), Some("Entertainment Ride")) => Kind::Entertainment,
        (Some("freestyle"), _) if discipline == "cycling" => Kind::JustRide,
        (Some("freestyle"), _) => Kind::Freestyle,
        _ => Kind::Class,
    }
}
