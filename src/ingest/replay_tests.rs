//! Lines that were spoilt on the way in, and are read once more after the fault is mended: the tables then are those of a
//! stream that was never spoilt.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tempfile::TempDir;

use super::*;
use crate::{
    clock::Clock,
    domain::batch::StreamId,
    ingest::{file::ingest, source::RawMessage},
    store::{fixture::rows, rejected::RejectedFilter},
};

fn start() -> DateTime<Utc> {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

fn monday() -> NaiveDate {
    "2026-01-05".parse().unwrap()
}

/// A ride of `seconds` that begins `after` seconds, by its lines.
fn ride(rider: i64, after: i64, seconds: i32) -> Vec<String> {
    let stamp = |millis: i64| {
        let at = start() + TimeDelta::seconds(after) + TimeDelta::milliseconds(millis);
        at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
    };
    let mut lines = vec![
        "--------- beginning of a new ride".to_owned(),
        format!("{} mendoza v9: Getting user data from server..", stamp(0)),
        format!(
            r#"{} mendoza v9: [SYSTEM] data = {{"user_id":{rider},"name":"Rider {rider}","bike_serial":"SN1"}}"#,
            stamp(500)
        ),
    ];
    for second in 1..=seconds {
        let at = 500 + i64::from(second) * 1000;
        lines.push(format!(
            "{} mendoza v9: [INFO]: Ride - duration = {second}.0; resistance = {}",
            stamp(at),
            20 + second % 7
        ));
        lines.push(format!(
            "{} mendoza v9: [INFO]: Telemetry - hrt = {}; rpm = {}; power = {}.5",
            stamp(at + 500),
            if second % 11 == 0 { 0 } else { 90 + second % 50 },
            60 + second % 9,
            100 + second
        ));
    }
    lines.push("--------- beginning of main".to_owned());
    lines
}

/// Two rides of one bike on a Monday morning.
fn two_rides() -> Vec<String> {
    [ride(7, 0, 120), ride(8, 600, 90)].concat()
}

fn payload(line: &str) -> Vec<u8> {
    serde_json::json!({ "log": format!("{line}\n") })
        .to_string()
        .into_bytes()
}

fn stream() -> StreamId {
    StreamId {
        source: "cluster".to_owned(),
        topic: "deloton".to_owned(),
    }
}

/// A store that took the lines in, those spoilt of which `is_spoilt` says so.
fn taken(lines: &[String], is_spoilt: impl Fn(usize, &str) -> bool) -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed(start() + TimeDelta::days(2))).unwrap();
    ingest(&store, Rules::default(), Tz::UTC, &stream(), |each| {
        for (place, line) in lines.iter().enumerate() {
            let bytes = if is_spoilt(place, line) {
                payload(&line.replace("mendoza v9", "mendoza version nine"))
            } else {
                payload(line)
            };
            each(RawMessage {
                partition: 0,
                offset: i64::try_from(place)?,
                timestamp_millis: None,
                key: Some(b"SN1"),
                payload: &bytes,
            })?;
        }
        Ok(())
    })
    .unwrap();
    (store, folder)
}

/// What an upgrade of the parser would do: from now on the spoilt lines can be read.
fn mend(store: &Store) {
    store
        .connection()
        .unwrap()
        .execute_batch(
            "update daily.rejected_line
             set raw = encode(replace(decode(raw), 'mendoza version nine', 'mendoza v9'))",
        )
        .unwrap();
}

fn again(store: &Store) -> Replayed {
    replay(store, &Rules::default(), Tz::UTC, None).unwrap()
}

const RIDES: &str = "from ride order by ride_id";
const READINGS: &str = "from reading order by ride_id, second";

/// Everything that a replay may touch; the reason of a ride's end and the duplicates aside, which depend on the order.
fn everything(store: &Store) -> [Vec<String>; 6] {
    [
        "select * exclude (end_reason) from ride order by ride_id",
        READINGS,
        "select * from rider order by rider_id",
        "select sum(columns(* exclude (source, topic, partition, business_day, duplicate_readings)))::bigint from ops.line_count",
        // Without a stamp a line is of the day it is set aside for.
        "select business_day, ride_lines, telemetry_lines, user_data_lines, system_lines, readings
         from ops.line_count where readings > 0 order by all",
        "select next_offset, (select count(*) from daily.rejected_line) as kept from ops.stream",
    ]
    .map(|sql| rows(store, sql))
}

/// Shows the rows that differ, not all of them.
#[track_caller]
fn assert_same(found: &[Vec<String>; 6], expected: &[Vec<String>; 6], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let added: Vec<_> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
        assert_eq!(
            (missing, added, found.len()),
            (Vec::new(), Vec::new(), expected.len()),
            "{what}: (missing, added, rows)"
        );
    }
}

/// What is spoilt, in words, and of a line by its place and its text.
type Case<'c> = (&'c str, &'c dyn Fn(usize, &str) -> bool);

#[test]
fn lines_that_can_be_read_by_now_are_put_where_they_belong() {
    let lines = two_rides();
    let (whole, _folder) = taken(&lines, |_, _| false);
    let is_ride = |line: &str| line.contains("Ride - ");
    let is_header = |line: &str| line.contains("SYSTEM") || line.contains("Getting");
    let cases: [Case<'_>; 8] = [
        ("every third line but headers", &|place, line| {
            place % 3 == 1 && !is_header(line)
        }),
        ("stretches", &|place, line| place % 40 > 15 && !is_header(line)),
        ("Ride lines", &|_, line| is_ride(line)),
        ("Telemetry lines", &|_, line| line.contains("Telemetry")),
        ("one header's rider", &|place, line| {
            place < 5 && line.contains("SYSTEM")
        }),
        ("every rider", &|_, line| line.contains("SYSTEM")),
        ("the last seconds", &|place, _| place > 400),
        ("everything that has a stamp", &|_, _| true),
    ];
    for (what, is_spoilt) in cases {
        let (store, _folder) = taken(&lines, is_spoilt);
        let spoilt = lines
            .iter()
            .enumerate()
            .filter(|(place, line)| line.contains("mendoza") && is_spoilt(*place, line))
            .count();
        let before = everything(&store);
        let refused = again(&store);
        assert_eq!((refused.counts.messages, refused.refused), (0, spoilt as i64), "{what}");
        assert_same(&everything(&store), &before, "nothing changes before it is mended");
        mend(&store);
        let replayed = again(&store);
        assert_eq!(
            (replayed.counts.messages, replayed.refused),
            (spoilt as i64, 0),
            "{what}"
        );
        assert_same(&everything(&store), &everything(&whole), what);
        assert_eq!(
            again(&store),
            Replayed::default(),
            "{what}: there is nothing left to replay"
        );
        assert_same(&everything(&store), &everything(&whole), what);
    }
}

#[test]
fn a_ride_without_its_whole_header_is_found_by_its_counter() {
    let lines = two_rides();
    let is_first = |place: usize| place < 100;
    let (store, _folder) = taken(&lines, |place, _| is_first(place));
    mend(&store);
    again(&store);
    let rides = "select rider_id, is_partial, reading_count from ride order by started_at";
    let (whole, _folder) = taken(&lines, |_, _| false);
    assert_eq!(rows(&store, rides), rows(&whole, rides));
}

#[test]
fn a_sealed_day_is_marked_and_sealed_again_with_what_was_put_in_place() {
    for prune in [false, true] {
        let lines = two_rides();
        let (whole, _folder) = taken(&lines, |_, _| false);
        whole.seal(monday()).unwrap();
        // Resistance alone is missing, and the same everywhere: not even the number of readings would tell.
        let (store, _folder) = taken(&lines, |place, line| place % 4 == 3 && line.contains("Ride - "));
        store.seal(monday()).unwrap();
        if prune {
            store.prune(monday()).unwrap();
            assert!(rows(&store, "from daily.reading").is_empty());
        }
        mend(&store);
        let replayed = again(&store);
        assert_eq!(replayed.days, [monday()].into());
        assert!(
            replayed.completed_readings > 0 && replayed.counts.readings == 0,
            "{replayed:?}"
        );
        assert_eq!(store.late_days().unwrap(), [monday()].into());
        store.prune(monday()).unwrap();
        assert!(
            !rows(&store, "from daily.reading").is_empty(),
            "what is not history yet is kept"
        );
        assert!(store.seal(monday()).unwrap().has_changed);
        assert!(store.late_days().unwrap().is_empty());
        assert_eq!(rows(&store, READINGS), rows(&whole, READINGS), "pruned: {prune}");
        assert_eq!(rows(&store, RIDES), rows(&whole, RIDES), "pruned: {prune}");
        assert_eq!(again(&store), Replayed::default());
        assert!(store.late_days().unwrap().is_empty());
        store.prune(monday()).unwrap();
        assert_eq!(rows(&store, READINGS), rows(&whole, READINGS), "pruned: {prune}");
    }
}

#[test]
fn a_line_that_is_there_already_is_a_duplicate() {
    let mut lines = ride(7, 0, 30);
    lines.insert(21, lines[20].clone());
    lines.insert(24, lines[23].clone());
    let (whole, _folder) = taken(&ride(7, 0, 30), |_, _| false);
    let (store, _folder) = taken(&lines, |place, _| [21, 24].contains(&place));
    mend(&store);
    let replayed = again(&store);
    assert_eq!((replayed.counts.duplicate_lines, replayed.counts.readings), (2, 0));
    assert_eq!(rows(&store, READINGS), rows(&whole, READINGS));
}

#[test]
fn a_ride_under_way_goes_on_with_what_was_put_in_place() {
    let lines = ride(7, 0, 60);
    let (whole, _folder) = taken(&lines, |_, _| false);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed(start() + TimeDelta::days(2))).unwrap();
    let mut pipeline = crate::ingest::pipeline::Pipeline::new(Rules::default(), Tz::UTC);
    pipeline
        .assign(&crate::domain::batch::StoredPosition::beginning(0))
        .unwrap();
    let spoilt = ["SYSTEM", "Ride - duration = 20.0", "hrt = 110"];
    for (place, line) in lines.iter().enumerate() {
        let is_spoilt = spoilt.iter().any(|text| line.contains(text));
        let bytes = payload(&if is_spoilt {
            line.replace("mendoza v9", "mendoza version nine")
        } else {
            line.clone()
        });
        let message = RawMessage {
            partition: 0,
            offset: place as i64,
            timestamp_millis: None,
            key: Some(b"SN1"),
            payload: &bytes,
        };
        pipeline.message(message, start());
        if place == 80 {
            let batch = pipeline.take_batch(|_| true).unwrap();
            store.flush(&stream(), &batch, &Rules::default().day).unwrap();
            mend(&store);
            assert_eq!(again(&store).counts.messages, 3);
            let open = "select rider_id, is_partial, ended_at from ride";
            assert_eq!(
                rows(&store, open),
                [r#"{"rider_id":7,"is_partial":false,"ended_at":null}"#]
            );
        }
    }
    store
        .flush(
            &stream(),
            &pipeline.take_batch(|_| true).unwrap(),
            &Rules::default().day,
        )
        .unwrap();
    assert_eq!(rows(&store, RIDES), rows(&whole, RIDES));
    assert_eq!(rows(&store, READINGS), rows(&whole, READINGS));
}

#[test]
fn of_lines_that_an_older_program_set_aside_the_bike_is_found_where_there_is_one_only() {
    let lines = ride(7, 0, 30);
    let forget = "update daily.rejected_line set bike_serial = null";
    let (store, _folder) = taken(&lines, |place, _| place == 20);
    store.connection().unwrap().execute_batch(forget).unwrap();
    mend(&store);
    assert_eq!(again(&store).counts.messages, 1);

    let (store, _folder) = taken(&lines, |place, _| place > 2);
    store.connection().unwrap().execute_batch(forget).unwrap();
    store
        .connection()
        .unwrap()
        .execute_batch("delete from ops.ride_source")
        .unwrap();
    mend(&store);
    let replayed = again(&store);
    assert_eq!((replayed.counts.messages, replayed.refused), (0, 60));
    let kept = store.rejected(&RejectedFilter::default(), 1).unwrap();
    assert!(kept[0].reason.contains("not which bike it came from"), "{kept:?}");
}
