//! A workout at Peloton: a class, a scenic ride or one without either, of any discipline. It is not a ride of ours: its
//! resistance is a percentage, and its rider is a name.

pub mod graph;
pub mod merge;
mod plausible;

use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::plausible::{MOST_SECONDS, plausible};

/// A workout as one source tells of it. What that source does not say is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Workout {
    /// Whose it is.
    pub rider_name: String,
    /// Its id at Peloton; the official export has none.
    pub peloton_workout_id: Option<String>,
    /// Who told of it; of several, the one that knows best.
    pub source: Source,
    /// When it began.
    pub start: Start,
    /// `cycling`, `strength`, `bike_bootcamp`, …; an open set. See [`discipline`].
    pub discipline: String,
    /// What was followed.
    pub kind: Kind,
    /// The export's `Type`: `Music`, `Climb`, …; an open set.
    pub class_type: Option<String>,
    /// Title, of the class where it was one.
    pub title: Option<String>,
    /// Who taught the class; an id where the name is not known.
    pub instructor: Option<String>,
    /// How long the class is; none of those by distance.
    pub class_seconds: Option<i32>,
    /// From start to end: less than the class where it was stopped early.
    pub ridden_seconds: Option<i32>,
    /// Taken while it was broadcast.
    pub is_live: Option<bool>,
    /// When the class was broadcast first.
    pub class_aired_at: Option<DateTime<Utc>>,
    /// More work than in any earlier one of its length, as Peloton judged then.
    pub is_personal_record: Option<bool>,
    /// Place on the class's board, and among how many.
    pub leaderboard: Option<(i32, i32)>,
    /// What was measured.
    pub figures: Figures,
}

/// A workout that is stored, under our own id.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWorkout {
    /// See [`workout_id`].
    pub workout_id: Uuid,
    /// What is known of it.
    pub workout: Workout,
}

/// A workout with an id of Peloton's that is stored, or was and is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWorkout {
    /// Our id.
    pub workout_id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Its course was fetched, and nothing more of it comes in.
    pub has_graph: bool,
    /// It was deleted.
    pub is_deleted: bool,
}

/// How far an account at Peloton was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Whose account it is, at Peloton.
    pub peloton_user_id: String,
    /// The start of the newest workout; all before it are here.
    pub watermark: DateTime<Utc>,
}

/// Why an account at Peloton was not read when it was tried last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When it was tried.
    pub failed_at: DateTime<Utc>,
    /// Why, in words.
    pub reason: String,
    /// It is read again only when somebody has done something.
    pub needs_a_person: bool,
    /// Peloton wishes not to be asked before.
    pub not_before: Option<DateTime<Utc>>,
}

/// Who told of a workout: a later one knows better than those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The file of an older system of ours: eight columns.
    OlderSystem,
    /// The “Download Workouts” file of the members' site.
    Export,
    /// Peloton's API.
    Api,
}

impl Source {
    /// The name used in tables, files and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::OlderSystem => "older_system",
            Source::Export => "export",
            Source::Api => "api",
        }
    }

    /// The source called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Source::OlderSystem, Source::Export, Source::Api]
            .into_iter()
            .find(|source| source.name() == name)
    }
}

/// When a workout began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The instant.
    pub at: DateTime<Utc>,
    /// What the rider's clock showed.
    pub local: NaiveDateTime,
    /// How well the instant is known.
    pub precision: Precision,
}

/// How well an instant is known, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// To the minute on a wall clock whose zone is a few letters: summer time is a guess.
    WallClock,
    /// To the minute.
    Minute,
    /// To the second.
    Second,
}

impl Precision {
    /// The name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Precision::WallClock => "wall_clock",
            Precision::Minute => "minute",
            Precision::Second => "second",
        }
    }

    /// The precision called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Precision::WallClock, Precision::Minute, Precision::Second]
            .into_iter()
            .find(|precision| precision.name() == name)
    }
}

/// What was followed in a workout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An instructor's class.
    Class,
    /// A film of a landscape.
    Scenic,
    /// Nothing.
    JustRide,
    /// Nothing, until a time that was set.
    TimeGoal,
    /// Something else on the screen.
    Entertainment,
    /// The game.
    Lanebreak,
    /// Nothing, and not on a bike.
    Freestyle,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Kind::Class,
        Kind::Scenic,
        Kind::JustRide,
        Kind::TimeGoal,
        Kind::Entertainment,
        Kind::Lanebreak,
        Kind::Freestyle,
    ];

    /// The name used in tables, files and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Class => "class",
            Kind::Scenic => "scenic",
            Kind::JustRide => "just_ride",
            Kind::TimeGoal => "time_goal",
            Kind::Entertainment => "entertainment",
            Kind::Lanebreak => "lanebreak",
            Kind::Freestyle => "freestyle",
        }
    }

    /// The kind called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a ride without an instructor was by its title: where nothing else says it, the game, whose levels are
    /// called after songs.
    #[must_use]
    pub fn of_untaught_ride(title: &str) -> Self {
        let title = title.to_lowercase();
        if title.contains("just ride") {
            Kind::JustRide
        } else if title.contains("entertainment") {
            Kind::Entertainment
        } else {
            Kind::Lanebreak
        }
    }
}

/// What riders' names are compared by: case does not matter.
#[must_use]
pub fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// One name for a discipline, however it is spelt: the export's `Bike Bootcamp` is the API's `bike_bootcamp`, and what the
/// API calls `caesar` is rowing to everybody else.
#[must_use]
pub fn discipline(text: &str) -> String {
    let snake = text.trim().to_lowercase().replace([' ', '-'], "_");
    match snake.as_str() {
        "circuit" => "tread_bootcamp".to_owned(),
        "caesar" => "rowing".to_owned(),
        "caesar_bootcamp" => "row_bootcamp".to_owned(),
        _ => snake,
    }
}

/// Something that is measured in a workout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are in `Figure::name`, with units")]
pub enum Figure {
    TotalOutput,
    Power,
    Resistance,
    Cadence,
    Speed,
    Distance,
    Energy,
    HeartRate,
    Incline,
    Pace,
    Effort,
    Ftp,
    GraphCoverage,
}

impl Figure {
    /// Every figure, in the order of the table's columns.
    pub const ALL: [Figure; 13] = [
        Figure::TotalOutput,
        Figure::Power,
        Figure::Resistance,
        Figure::Cadence,
        Figure::Speed,
        Figure::Distance,
        Figure::Energy,
        Figure::HeartRate,
        Figure::Incline,
        Figure::Pace,
        Figure::Effort,
        Figure::Ftp,
        Figure::GraphCoverage,
    ];

    /// The name used in tables, files and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Figure::TotalOutput => "total_output_kilojoules",
            Figure::Power => "power_watts_mean",
            Figure::Resistance => "resistance_percent_mean",
            Figure::Cadence => "cadence_rpm_mean",
            Figure::Speed => "speed_metres_per_second_mean",
            Figure::Distance => "distance_metres",
            Figure::Energy => "energy_kilocalories",
            Figure::HeartRate => "heart_rate_bpm_mean",
            Figure::Incline => "incline_percent_mean",
            Figure::Pace => "pace_seconds_per_kilometre_mean",
            Figure::Effort => "effort_points",
            Figure::Ftp => "ftp_watts",
            // The share of its course of which samples are there; none as long as more of it may come in.
            Figure::GraphCoverage => "graph_coverage",
        }
    }

    /// Two values that are no further apart may be the same one, written in miles once and in kilometres another time, to
    /// two places.
    fn tolerance(self) -> f64 {
        match self {
            Figure::Speed => 0.004,
            Figure::Distance => 13.1,
            // A second of a pace a mile, and one of a pace a kilometre.
            Figure::Pace => 0.9,
            _ => 1e-6,
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures([Option<f64>; Figure::ALL.len()]);

impl Figures {
    /// One of them.
    #[must_use]
    pub fn get(&self, figure: Figure) -> Option<f64> {
        self.0[figure as usize]
    }

    /// Sets one of them; what is no number is none, nor is the heart rate of 0 of a sensor that nobody touches.
    pub fn set(&mut self, figure: Figure, value: Option<f64>) {
        self.0[figure as usize] =
            value.filter(|value| value.is_finite() && (figure != Figure::HeartRate || *value != 0.0));
    }

    /// The same with one of them set.
    #[must_use]
    pub fn with(mut self, figure: Figure, value: Option<f64>) -> Self {
        self.set(figure, value);
        self
    }
}

/// The id of a workout: a UUIDv7 of the minute it began in and a hash of its natural key. `ordinal` counts those that
/// have the same key.
#[must_use]
pub fn workout_id(workout: &Workout, ordinal: u32) -> Uuid {
    let title = workout.title.as_deref().map(merge::title_key).unwrap_or_default();
    let key = format!(
        "{}\0{}\0{title}\0{ordinal}",
        workout.rider_name.to_lowercase(),
        workout.discipline
    );
    let hash = Sha256::digest(key.as_bytes());
    let mut random = [0_u8; 10];
    random.copy_from_slice(&hash[..10]);
    let minute = workout.start.at.timestamp().div_euclid(60) * 60;
    let millis = u64::try_from(minute * 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
