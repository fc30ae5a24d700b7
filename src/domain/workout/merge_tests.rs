//! Workouts that several sources tell of. All of it is made up.

use chrono::{DateTime, Utc};

use super::*;
use crate::domain::workout::{Figures, Source};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `30 min Hills` at an instant, as a source tells of it.
fn told(source: Source, start: &str, output: f64) -> Workout {
    let precision = match source {
        Source::Export => Precision::Minute,
        _ => Precision::Second,
    };
    Workout {
        rider_name: "Ann".to_owned(),
        peloton_workout_id: None,
        source,
        start: Start {
            at: at(start),
            local: at(start).naive_utc(),
            precision,
        },
        discipline: "cycling".to_owned(),
        kind: Kind::Class,
        class_type: None,
        title: Some("30 min Rider's Hills".to_owned()),
        instructor: None,
        class_seconds: Some(1800),
        ridden_seconds: None,
        is_live: None,
        class_aired_at: None,
        is_personal_record: None,
        leaderboard: None,
        figures: Figures::default().with(Figure::TotalOutput, Some(output)),
    }
}

fn export(start: &str, output: f64) -> Workout {
    told(Source::Export, start, output)
}

fn api(id: &str, start: &str, output: f64) -> Workout {
    Workout {
        peloton_workout_id: Some(id.to_owned()),
        ..told(Source::Api, start, output)
    }
}

/// How many are stored after each list was taken in, one after the other.
fn counts(lists: &[Vec<Workout>]) -> Vec<usize> {
    let mut shelf = Shelf::default();
    let taken = lists.iter().map(|list| {
        shelf.merge(list.clone());
        shelf.kept.len()
    });
    taken.collect()
}

fn is_one(one: &Workout, other: &Workout) -> bool {
    let both = [vec![one.clone()], vec![other.clone()]];
    let there = counts(&both)[1];
    let back = counts(&[both[1].clone(), both[0].clone()])[1];
    assert_eq!(there, back, "it must not matter who tells first");
    there == 1
}

#[test]
fn an_export_and_the_api_tell_of_the_same_workout_whoever_comes_first() {
    let of_export = Workout {
        class_type: Some("Climb".to_owned()),
        title: Some("30 min Riders Hills".to_owned()),
        figures: Figures::default()
            .with(Figure::TotalOutput, Some(250.0))
            .with(Figure::HeartRate, Some(141.0)),
        ..export("2025-01-14T23:05:00Z", 250.0)
    };
    let of_api = Workout {
        leaderboard: Some((9, 80)),
        ..api("a1", "2025-01-14T23:05:41Z", 250.43)
    };
    let of_older = Workout {
        peloton_workout_id: Some("a1".to_owned()),
        ..told(Source::OlderSystem, "2025-01-14T23:05:41Z", 250.4)
    };
    let told = [of_export, of_api, of_older];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut seen: Vec<StoredWorkout> = Vec::new();
    for order in orders {
        let mut shelf = Shelf::default();
        for index in order {
            shelf.merge(vec![told[index].clone()]);
        }
        for index in order {
            assert_eq!(
                shelf.merge(vec![told[index].clone()]),
                [Became::Unchanged(0)],
                "{order:?}"
            );
        }
        seen.push(shelf.at(0).clone());
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    let workout = &seen[0].workout;
    assert_eq!(workout.start.at, at("2025-01-14T23:05:41Z"));
    assert_eq!(workout.figures.get(Figure::TotalOutput), Some(250.43));
    assert_eq!(workout.figures.get(Figure::HeartRate), Some(141.0));
    assert_eq!(
        (workout.class_type.as_deref(), workout.leaderboard),
        (Some("Climb"), Some((9, 80)))
    );
}

#[test]
fn clocks_that_were_read_twice_or_may_be_an_hour_off_mean_one_workout() {
    let of_api = api("a1", "2025-07-14T22:05:58Z", 250.4);
    assert!(
        is_one(&export("2025-07-14T22:06:00Z", 250.0), &of_api),
        "the next minute"
    );
    assert!(
        !is_one(&export("2025-07-14T22:06:00Z", 190.0), &of_api),
        "less was done in it"
    );
    assert!(!is_one(&export("2025-07-14T22:09:00Z", 250.0), &of_api));
    assert!(
        !is_one(&export("2025-07-14T23:05:00Z", 250.0), &of_api),
        "its zone is known"
    );
    let mut guessed = export("2025-07-14T23:05:00Z", 250.0);
    guessed.start.precision = Precision::WallClock;
    assert!(is_one(&guessed, &of_api), "summer or winter");
    guessed.start.at = at("2025-07-15T05:05:00Z");
    guessed.start.local = of_api.start.local;
    assert!(is_one(&guessed, &of_api), "the rider's clock showed the same");
}

#[test]
fn another_title_length_discipline_or_id_is_another_workout() {
    let one = export("2025-01-14T23:05:00Z", 250.0);
    assert!(!is_one(
        &one,
        &Workout {
            title: Some("Other".to_owned()),
            ..one.clone()
        }
    ));
    assert!(!is_one(
        &one,
        &Workout {
            class_seconds: Some(2700),
            ..one.clone()
        }
    ));
    assert!(!is_one(
        &one,
        &Workout {
            discipline: "yoga".to_owned(),
            ..one.clone()
        }
    ));
    assert!(!is_one(
        &api("a1", "2025-01-14T23:05:00Z", 250.0),
        &api("a2", "2025-01-14T23:05:00Z", 250.0)
    ));
    // What one of them does not say is no difference.
    assert!(is_one(
        &one,
        &Workout {
            title: None,
            class_seconds: None,
            ..one.clone()
        }
    ));
    let game = |title: &str| Workout {
        kind: Kind::Lanebreak,
        title: Some(title.to_owned()),
        ..one.clone()
    };
    assert!(is_one(&game("Lanebreak Ride"), &game("30 min Some Band")));
}

#[test]
fn two_workouts_of_one_minute_stay_two_in_whatever_file_they_come() {
    let (first, second) = (
        export("2025-01-14T23:05:00Z", 3.0),
        export("2025-01-14T23:05:00Z", 250.0),
    );
    let both = vec![first.clone(), second.clone()];
    let turned = vec![second.clone(), first.clone()];
    assert_eq!(
        counts(&[both.clone(), both.clone(), turned, vec![second.clone()]]),
        [2, 2, 2, 2]
    );
    // The first file ended between them.
    assert_eq!(counts(&[vec![first.clone()], both.clone()]), [1, 2]);
    let mut shelf = Shelf::default();
    shelf.merge(both);
    assert_eq!(shelf.merge(vec![second]), [Became::Unchanged(1)]);
    let ids: HashSet<_> = shelf.kept.iter().map(|kept| kept.stored.workout_id).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_line_that_is_repeated_in_a_file_is_no_other_workout() {
    let one = export("2025-01-14T23:05:00Z", 250.0);
    let mut shelf = Shelf::default();
    assert_eq!(
        shelf.merge(vec![one.clone(), one]),
        [Became::New(0), Became::Unchanged(0)]
    );
}

#[test]
fn a_file_with_repeated_lines_changes_nothing_when_it_is_taken_in_again() {
    let one = export("2025-01-14T23:05:00Z", 250.0);
    let other = export("2025-01-15T23:05:00Z", 250.0);
    let file = vec![one.clone(), other, one.clone(), one];
    let mut shelf = Shelf::default();
    shelf.merge(file.clone());
    let again = [0, 1, 0, 0].map(Became::Unchanged);
    assert_eq!(shelf.merge(file.clone()), again);
    assert_eq!(shelf.merge(file), again);
}

/// The same ride of an export, read as of a clock so many hours behind UTC.
fn guessed(local: &str, hours_behind: i64, output: f64) -> Workout {
    let mut workout = export(&format!("{local}Z"), output);
    workout.start.at += TimeDelta::hours(hours_behind);
    workout.start.precision = Precision::WallClock;
    workout
}

#[test]
fn another_guess_at_the_riders_zone_makes_no_other_workout_and_brings_none_back() {
    let (here, there) = (
        guessed("2025-01-14T18:05:00", 5, 250.0),
        guessed("2025-01-14T18:05:00", -9, 250.0),
    );
    assert!(is_one(&here, &there));
    assert!(
        !is_one(&here, &guessed("2025-01-14T18:06:00", -9, 250.0)),
        "another minute is another workout"
    );
    let tombstone = |workout: &Workout| Kept {
        stored: StoredWorkout {
            workout_id: workout_id(workout, 0),
            workout: Workout {
                figures: Figures::default(),
                ..workout.clone()
            },
        },
        is_deleted: true,
    };
    let mut shelf: Shelf = [tombstone(&here)].into_iter().collect();
    assert_eq!(shelf.merge(vec![there]), [Became::Deleted]);
}

#[test]
fn both_half_past_ones_of_the_night_the_clocks_go_back_are_those_of_the_api() {
    let mut first = api("a1", "2022-11-06T05:30:20Z", 200.3);
    let mut second = api("a2", "2022-11-06T06:30:20Z", 210.4);
    for workout in [&mut first, &mut second] {
        workout.start.local = "2022-11-06T01:30:20".parse().unwrap();
    }
    // An export tells no difference between them, and rounds.
    let of_export = |output| guessed("2022-11-06T01:30:00", 4, output);
    for output in [210.0, 190.0] {
        assert!(is_one(&of_export(output), &second), "{output}");
    }
    let mut shelf = Shelf::default();
    shelf.merge(vec![of_export(210.0), of_export(200.0)]);
    assert_eq!(
        shelf.merge(vec![first, second]),
        [Became::Changed(1), Became::Changed(0)]
    );
}

#[test]
fn a_deleted_workout_is_not_taken_for_another_of_its_minute() {
    let (short, long) = (
        export("2025-01-14T23:05:00Z", 3.0),
        export("2025-01-14T23:05:00Z", 250.0),
    );
    let kept = |workout: Workout, ordinal, is_deleted| Kept {
        stored: StoredWorkout {
            workout_id: workout_id(&workout, ordinal),
            workout,
        },
        is_deleted,
    };
    let nameless = Workout {
        figures: Figures::default(),
        ..long.clone()
    };
    for file in [vec![short.clone(), long.clone()], vec![long, short.clone()]] {
        let mut shelf: Shelf = [kept(nameless.clone(), 1, true), kept(short.clone(), 0, false)]
            .into_iter()
            .collect();
        let became = shelf.merge(file);
        assert!(
            became.contains(&Became::Deleted) && became.contains(&Became::Unchanged(1)),
            "{became:?}"
        );
    }
}

#[test]
fn many_thousand_workouts_are_taken_in_within_seconds() {
    let first = at("1990-01-01T00:00:00Z");
    let many: Vec<Workout> = (0..60_000)
        .map(|number| {
            let mut workout = export("2025-01-14T23:05:00Z", 250.0);
            workout.start.at = first + TimeDelta::minutes(7 * number);
            workout.start.local = workout.start.at.naive_utc();
            workout
        })
        .collect();
    let began = std::time::Instant::now();
    let mut shelf = Shelf::default();
    shelf.merge(many);
    assert_eq!(shelf.kept.len(), 60_000);
    // Comparing each with every other takes a minute and more.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn miles_and_kilometres_of_one_workout_are_no_change() {
    let far = |metres| {
        let mut workout = export("2025-01-14T23:05:00Z", 250.0);
        workout.figures.set(Figure::Distance, Some(metres));
        workout
    };
    // 9.00 miles, and the 14.49 km that the same ride has in the other file.
    let (miles, kilometres) = (far(9.0 * 1609.344), far(14490.0));
    let mut shelf = Shelf::default();
    shelf.merge(vec![miles]);
    assert_eq!(shelf.merge(vec![kilometres]), [Became::Unchanged(0)]);
    assert_eq!(shelf.merge(vec![far(15000.0)]), [Became::Changed(0)]);
}

#[test]
fn an_instructors_name_is_worth_more_than_an_id_whoever_tells_it() {
    let start = "2025-01-14T23:05:41Z";
    let taught = |workout: Workout, by: &str| Workout {
        instructor: Some(by.to_owned()),
        ..workout
    };
    let id = taught(api("a1", start, 250.4), "1697e6f580494740a5a1ca62b8b3f47c");
    let named = taught(export("2025-01-14T23:05:00Z", 250.0), "Ida Quist");
    for order in [[&id, &named], [&named, &id]] {
        let mut shelf = Shelf::default();
        for told in order {
            shelf.merge(vec![told.clone()]);
        }
        assert_eq!(shelf.at(0).workout.instructor.as_deref(), Some("Ida Quist"));
        assert_eq!(shelf.merge(vec![id.clone()]), [Became::Unchanged(0)]);
    }
}

#[test]
fn what_was_deleted_stays_deleted_by_its_id_and_without() {
    let workout = api("a1", "2025-01-14T23:05:41Z", 250.4);
    let stored = StoredWorkout {
        workout_id: workout_id(&workout, 0),
        workout: Workout {
            figures: Figures::default(),
            ..workout.clone()
        },
    };
    let mut shelf: Shelf = [Kept {
        stored,
        is_deleted: true,
    }]
    .into_iter()
    .collect();
    assert_eq!(shelf.merge(vec![workout]), [Became::Deleted]);
    assert_eq!(
        shelf.merge(vec![export("2025-01-14T23:05:00Z", 250.0)]),
        [Became::Deleted]
    );
    assert_eq!(
        shelf.merge(vec![export("2025-01-14T23:45:00Z", 250.0)]),
        [Became::New(1)]
    );
}
