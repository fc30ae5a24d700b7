//! Workouts as the store keeps them.

use super::*;
use crate::{
    domain::workout::{Figures, Kind, Precision, Progress, Source, Start},
    store::{
        StoreError,
        fixture::{NOW, at, number, open},
    },
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
fn whose_a_workout_is_is_told_alike_before_it_is_fetched_and_when_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    // Small, the last letter of his name is another than within it.
    let (stored, spelt, another) = ("ΑΛΕΞΗΣ", " Αλεξης ", "Bea");
    let of = |id, rider_name| told(Some(id), "2026-01-09T10:00:07Z", rider_name);
    let taken_in = |told: &[Workout]| store.take_in_workouts(told, &HashMap::new(), None).unwrap();
    taken_in(&[of("a1", stored), told(None, "2026-01-08T10:00:07Z", stored)]);
    taken_in(&[of("b1", another), of("b2", another)]);
    store
        .delete_workout(store.known_workouts(another).unwrap()["b2"].workout_id, false)
        .unwrap();
    for (rider_name, others) in [(stored, &["b1", "b2"][..]), (spelt, &["b1", "b2"]), (another, &["a1"])] {
        let others: HashSet<String> = others.iter().map(ToString::to_string).collect();
        assert_eq!(store.workouts_of_others(rider_name).unwrap(), others, "{rider_name}");
        let all = ["a1", "b1", "b2"].map(|id| of(id, rider_name));
        assert_eq!(taken_in(&all).of_others, others.len() as u64, "{rider_name}");
    }
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
