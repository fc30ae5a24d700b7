//! Peloton workouts.

use chrono::{DateTime, NaiveDateTime, Utc};
use poem_openapi::{Enum, Object};
use uuid::Uuid;

use crate::domain::{
    access::{Pseudonyms, Role},
    workout::{
        Figure, Kind, StoredWorkout,
        graph::{Metric, Sample},
    },
};

/// A workout at Peloton. What nobody told of it is null.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Workout {
    /// Ours; later workouts have greater ids.
    pub workout_id: Uuid,
    /// Whose it is; for administrators.
    pub rider_name: Option<String>,
    /// What the rider is called before those who may not know who it is.
    pub pseudonym: String,
    /// Its id at Peloton; null where only an export told of it.
    pub peloton_workout_id: Option<String>,
    /// Who knows best of it: `api`, `export` (Peloton's CSV) or `older_system`.
    pub source: String,
    /// When it began; to the minute where only an export told of it.
    pub started_at: DateTime<Utc>,
    /// What the rider's clock showed then.
    pub started_local: NaiveDateTime,
    /// `cycling`, `yoga`, `bike_bootcamp`, …
    pub discipline: String,
    /// `class`, `scenic`, `just_ride`, `time_goal`, `entertainment`, `lanebreak` or `freestyle`.
    pub kind: String,
    /// `Music`, `Climb`, …; only exports tell it.
    pub class_type: Option<String>,
    /// Title, of the class where it was one.
    pub title: Option<String>,
    /// Who taught the class.
    pub instructor: Option<String>,
    /// How long the class is; null where it is by distance.
    pub class_seconds: Option<i32>,
    /// From start to end.
    pub ridden_seconds: Option<i32>,
    /// Taken while it was broadcast.
    pub is_live: Option<bool>,
    /// When the class was broadcast first.
    pub class_aired_at: Option<DateTime<Utc>>,
    /// More work than in any earlier one of its length, as Peloton judged then.
    pub is_personal_record: Option<bool>,
    /// Place on the class's board.
    pub leaderboard_rank: Option<i32>,
    /// How many are on that board.
    pub leaderboard_riders: Option<i32>,
    /// Work done.
    pub total_output_kilojoules: Option<f64>,
    /// Mean.
    pub power_watts_mean: Option<f64>,
    /// Mean; a percentage, not a bike's units as in rides.
    pub resistance_percent_mean: Option<f64>,
    /// Mean.
    pub cadence_rpm_mean: Option<f64>,
    /// Mean.
    pub speed_metres_per_second_mean: Option<f64>,
    /// How far.
    pub distance_metres: Option<f64>,
    /// As Peloton estimates them.
    pub energy_kilocalories: Option<f64>,
    /// Mean.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Mean, of a tread.
    pub incline_percent_mean: Option<f64>,
    /// Mean, of a tread.
    pub pace_seconds_per_kilometre_mean: Option<f64>,
    /// Peloton's own measure of effort.
    pub effort_points: Option<f64>,
    /// Functional threshold power before it.
    pub ftp_watts: Option<f64>,
    /// The share of its course of which there are samples; null where they were not asked for, and on its first day, as more
    /// may come in.
    pub graph_coverage: Option<f64>,
}

impl Workout {
    /// The workout as somebody of `role` sees it.
    #[must_use]
    pub fn seen_by(stored: StoredWorkout, role: Role, pseudonyms: &Pseudonyms) -> Self {
        let workout = stored.workout;
        let figure = |figure| workout.figures.get(figure);
        Workout {
            workout_id: stored.workout_id,
            pseudonym: pseudonyms.of_name(&workout.rider_name),
            peloton_workout_id: workout.peloton_workout_id.filter(|_| role >= Role::Admin),
            source: workout.source.name().to_owned(),
            started_at: workout.start.at,
            started_local: workout.start.local,
            discipline: workout.discipline,
            kind: workout.kind.name().to_owned(),
            class_type: workout.class_type,
            title: workout.title,
            instructor: workout.instructor,
            class_seconds: workout.class_seconds,
            ridden_seconds: workout.ridden_seconds,
            is_live: workout.is_live,
            class_aired_at: workout.class_aired_at,
            is_personal_record: workout.is_personal_record,
            leaderboard_rank: workout.leaderboard.map(|(rank, _)| rank),
            leaderboard_riders: workout.leaderboard.map(|(_, riders)| riders),
            total_output_kilojoules: figure(Figure::TotalOutput),
            power_watts_mean: figure(Figure::Power),
            resistance_percent_mean: figure(Figure::Resistance),
            cadence_rpm_mean: figure(Figure::Cadence),
            speed_metres_per_second_mean: figure(Figure::Speed),
            distance_metres: figure(Figure::Distance),
            energy_kilocalories: figure(Figure::Energy),
            heart_rate_bpm_mean: figure(Figure::HeartRate),
            incline_percent_mean: figure(Figure::Incline),
            pace_seconds_per_kilometre_mean: figure(Figure::Pace),
            effort_points: figure(Figure::Effort),
            ftp_watts: figure(Figure::Ftp),
            graph_coverage: figure(Figure::GraphCoverage),
            rider_name: Some(workout.rider_name).filter(|_| role >= Role::Admin),
        }
    }
}

/// One step of a workout's course. What was not measured in it is null.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct WorkoutSample {
    /// The seconds since the workout's beginning at which the step begins; each is 5 s long.
    pub second: i32,
    /// Mean.
    pub power_watts: Option<f64>,
    /// Mean.
    pub cadence_rpm: Option<f64>,
    /// Mean; a percentage, not a bike's units as in readings.
    pub resistance_percent: Option<f64>,
    /// Mean.
    pub speed_metres_per_second: Option<f64>,
    /// Mean.
    pub heart_rate_bpm: Option<f64>,
    /// Mean, of a tread.
    pub incline_percent: Option<f64>,
    /// Mean, of a rower.
    pub stroke_rate_spm: Option<f64>,
}

impl From<Sample> for WorkoutSample {
    fn from(sample: Sample) -> Self {
        let value = |metric: Metric| sample.values[metric as usize];
        WorkoutSample {
            second: sample.second,
            power_watts: value(Metric::Power),
            cadence_rpm: value(Metric::Cadence),
            resistance_percent: value(Metric::Resistance),
            speed_metres_per_second: value(Metric::Speed),
            heart_rate_bpm: value(Metric::HeartRate),
            incline_percent: value(Metric::Incline),
            stroke_rate_spm: value(Metric::StrokeRate),
        }
    }
}

/// A kind of workouts by which they are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum WorkoutKind {
    /// An instructor's class.
    Class,
    /// A film of a landscape.
    Scenic,
    /// Nothing followed.
    JustRide,
    /// Nothing followed, until a time that was set.
    TimeGoal,
    /// Something else on the screen.
    Entertainment,
    /// The game.
    Lanebreak,
    /// Nothing followed, and not on a bike.
    Freestyle,
}

impl From<WorkoutKind> for Kind {
    fn from(kind: WorkoutKind) -> Self {
        match kind {
            WorkoutKind::Class => Kind::Class,
            WorkoutKind::Scenic => Kind::Scenic,
            WorkoutKind::JustRide => Kind::JustRide,
            WorkoutKind::TimeGoal => Kind::TimeGoal,
            WorkoutKind::Entertainment => Kind::Entertainment,
            WorkoutKind::Lanebreak => Kind::Lanebreak,
            WorkoutKind::Freestyle => Kind::Freestyle,
        }
    }
}
