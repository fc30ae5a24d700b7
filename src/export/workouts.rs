//! The daily file of workouts, for those who depend on the older system's: its place, its eight columns, its words. In one
//! thing it is right where that was wrong: only what was the game is called so.

use chrono::NaiveDate;

use crate::domain::workout::{Figure, Kind, StoredWorkout};

const COLUMNS: [&str; 8] = [
    "workout_id",
    "date",
    "class_title",
    "instructor",
    "class_type",
    "length_min",
    "total_output_kj",
    "rider_name",
];

/// Where the file of a day is, below the exports.
pub(super) fn path(day: NaiveDate) -> String {
    day.format("%Y/%m/daily_upload%Y_%m_%d.csv").to_string()
}

/// A line a workout, after a line of names. Times are UTC; what was not measured is 0, as it was there.
pub(super) fn csv(workouts: &[StoredWorkout]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let records = std::iter::once(COLUMNS.map(str::to_owned)).chain(workouts.iter().map(record));
    for record in records {
        writer
            .write_record(&record)
            .expect("memory can be written, and all records have eight columns");
    }
    writer.into_inner().expect("memory can be written")
}

fn record(stored: &StoredWorkout) -> [String; COLUMNS.len()] {
    let workout = &stored.workout;
    let class_type = match workout.kind {
        Kind::Class | Kind::Scenic | Kind::Freestyle => workout.discipline.as_str(),
        untaught => untaught.name(),
    };
    [
        workout
            .peloton_workout_id
            .clone()
            .unwrap_or_else(|| stored.workout_id.to_string()),
        workout.start.at.format("%Y-%m-%d %H:%M:%S").to_string(),
        workout.title.clone().unwrap_or_default(),
        workout.instructor.clone().unwrap_or_else(|| "no instructor".to_owned()),
        class_type.to_owned(),
        (workout.class_seconds.unwrap_or(0) / 60).to_string(),
        format!("{:.1}", workout.figures.get(Figure::TotalOutput).unwrap_or(0.0)),
        workout.rider_name.clone(),
    ]
}
