//! Workouts to try the page of training with.

use chrono::NaiveDate;

use super::training::Training;
use crate::domain::workout::{Figure, Figures, Kind, Precision, Source, Start, Workout};

/// Those of two riders over half a year.
pub(super) fn workouts() -> Training {
    let first = NaiveDate::from_ymd_opt(2024, 9, 2).unwrap_or_default();
    let workouts = first
        .iter_days()
        .take(180)
        .zip(0..)
        .filter(|(_, number)| number % 3 != 2)
        .map(|(day, number)| {
            let local = day.and_hms_opt(6 + number % 13, 5, 0).unwrap_or_default();
            let minutes = [20, 30, 45][number as usize % 4 % 3];
            let is_ride = number % 5 != 4;
            let output = f64::from(minutes) * (6.0 + f64::from(number % 11) / 5.0 + f64::from(number) / 90.0);
            Workout {
                rider_name: ["Ann", "Bea"][number as usize % 2].to_owned(),
                peloton_workout_id: None,
                source: Source::Export,
                start: Start {
                    at: local.and_utc(),
                    local,
                    precision: Precision::Minute,
                },
                discipline: if is_ride { "cycling" } else { "bike_bootcamp" }.to_owned(),
                kind: Kind::Class,
                class_type: None,
                title: Some(format!("{minutes} min Rolling Hills & Sprints")),
                instructor: Some(["Ida Quist", "José Ardén", "Ruth Vale"][number as usize % 7 % 3].to_owned()),
                class_seconds: Some(minutes * 60),
                ridden_seconds: None,
                is_live: None,
                class_aired_at: None,
                is_personal_record: None,
                leaderboard: None,
                figures: Figures::default()
                    .with(Figure::TotalOutput, is_ride.then_some(output))
                    .with(
                        Figure::Power,
                        is_ride.then_some(output * 1000.0 / 60.0 / f64::from(minutes)),
                    ),
            }
        });
    Training::of(workouts.collect())
}
