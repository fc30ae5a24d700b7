//! What becomes of lines, in a small language. A line of input is a bike's letter, seconds on the log's clock, and
//! `main`, `new`, `get`, `user 7`, `ride 12 30` (second, resistance), `tel 90 30 6.4`, or `raw …`. The outcome is one
//! line per reading in order of arrival, then one per ride.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::ride::Ride;

fn start() -> DateTime<Utc> {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

/// Turns one line of the small language into a message: (key, payload).
fn message(line: &str) -> (String, String) {
    let (bike, rest) = line.trim().split_once(' ').unwrap();
    let (seconds, what) = rest.split_once(' ').unwrap();
    let micros = (seconds.parse::<f64>().unwrap() * 1e6) as i64;
    let stamp = (start() + TimeDelta::microseconds(micros)).format("%Y-%m-%d %H:%M:%S%.6f");
    let words: Vec<&str> = what.split(' ').collect();
    let log = match words.as_slice() {
        ["main"] => "--------- beginning of main".to_owned(),
        ["new"] => "--------- beginning of a new ride".to_owned(),
        ["get"] => format!("{stamp} mendoza v9: Getting user data from server.."),
        ["user", id] => format!(r#"{stamp} mendoza v9: [SYSTEM] data = {{"user_id":{id},"bike_serial":"SN-{bike}"}}"#),
        ["ride", second, resistance] => {
            format!("{stamp} mendoza v9: [INFO]: Ride - duration = {second}.0; resistance = {resistance}")
        }
        ["tel", bpm, rpm, watts] => {
            format!("{stamp} mendoza v9: [INFO]: Telemetry - hrt = {bpm}; rpm = {rpm}; power = {watts}")
        }
        ["raw", ..] => what[4..].to_owned(),
        _ => panic!("{line}"),
    };
    (bike.to_owned(), serde_json::json!({ "log": log + "\n" }).to_string())
}

struct Told {
    batch: Batch,
    pipeline: Pipeline,
}

/// Hands `lines` over as the messages of one partition, from offset `from` on.
fn feed(pipeline: &mut Pipeline, lines: &str, from: usize) {
    for (offset, line) in (0..).zip(lines.trim().lines()).skip(from) {
        let (key, payload) = message(line);
        let raw = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: None,
            key: Some(key.as_bytes()),
            payload: payload.as_bytes(),
        };
        pipeline.message(raw, start() + TimeDelta::minutes(2));
    }
}

fn tell(lines: &str) -> Told {
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    pipeline.assign(&StoredPosition::beginning(0)).unwrap();
    feed(&mut pipeline, lines, 0);
    let batch = pipeline.take_batch(|_| true).unwrap();
    let counts = batch.positions[&0].total();
    let classes = counts.ride_lines
        + counts.telemetry_lines
        + counts.user_data_lines
        + counts.system_lines
        + counts.marker_lines
        + counts.duplicate_lines
        + counts.tombstoned_lines
        + counts.rejected_lines;
    assert_eq!(counts.messages, classes, "every message is counted as one kind");
    Told { batch, pipeline }
}

fn seconds_since_start(at: DateTime<Utc>) -> String {
    format!("{:.1}", (at - start()).num_milliseconds() as f64 / 1000.0)
}

/// The outcome as text.
fn outcome(lines: &str) -> String {
    let told = tell(lines);
    let rides: BTreeMap<_, &Ride> = told.batch.rides.iter().map(|ride| (ride.ride_id, ride)).collect();
    let name = |id: &uuid::Uuid| seconds_since_start(rides[id].started_at);
    let mut text = Vec::new();
    for reading in &told.batch.readings {
        let show = |value: Option<String>| value.unwrap_or("-".to_owned());
        text.push(format!(
            "{} second {} resistance {} bpm {} watts {}",
            name(&reading.ride_id),
            reading.second,
            show(reading.resistance.map(|value| value.to_string())),
            if reading.is_dropout {
                "none".to_owned()
            } else {
                show(reading.heart_rate_bpm.map(|value| value.to_string()))
            },
            show(reading.power_watts.map(|value| value.to_string())),
        ));
    }
    for ride in rides.values() {
        text.push(format!(
            "ride {} on {} rider {} {} {} readings{}",
            seconds_since_start(ride.started_at),
            ride.bike_serial,
            ride.rider_id.map_or("unknown".to_owned(), |id| id.to_string()),
            ride.end_reason
                .map_or("open".to_owned(), |reason| reason.name().to_owned()),
            ride.totals.reading_count,
            if ride.is_partial { ", partial" } else { "" },
        ));
    }
    let counts = told.batch.positions[&0].total();
    if (counts.duplicate_lines, counts.duplicate_readings, counts.rejected_lines) != (0, 0, 0) {
        text.push(format!(
            "{} duplicate lines, {} duplicate readings, {} rejected",
            counts.duplicate_lines, counts.duplicate_readings, counts.rejected_lines
        ));
    }
    text.join("\n")
}

const HEADER: &str = "a 0 main\na 0 new\na 0.5 get\na 1 user 7\n";

fn with_header(lines: &str) -> String {
    outcome(&format!("{HEADER}{lines}"))
}

#[test]
fn a_ride_from_header_to_marker() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 0\na 2 tel 0 0 0.0\na 2.5 ride 2 30\na 3 tel 60 31 6.4\na 3.5 main"),
        @r"
    0.5 second 1 resistance 0 bpm none watts 0
    0.5 second 2 resistance 30 bpm 60 watts 6.4
    ride 0.5 on SN-a rider 7 marker 2 readings
    "
    );
}

#[test]
fn missing_halves_leave_half_readings() {
    // No Telemetry for second 2; no Ride line for second 3; the last Ride line waits.
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 2.5 ride 2 30\na 4 tel 62 33 7\na 4.5 ride 4 30\na 5 tel 63 33 7\na 5.5 ride 5 30\na 6 main"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    0.5 second 2 resistance 30 bpm 62 watts 7
    0.5 second 4 resistance 30 bpm 63 watts 7
    0.5 second 5 resistance 30 bpm - watts -
    ride 0.5 on SN-a rider 7 marker 4 readings
    "
    );
    // 1.5 s and more apart are two readings; the Telemetry takes the second after the last.
    insta::assert_snapshot!(
        with_header("a 2.5 ride 2 30\na 4.6 tel 62 33 7\na 5.5 ride 5 30\na 6 tel 63 33 7"),
        @r"
    0.5 second 2 resistance 30 bpm - watts -
    0.5 second 3 resistance - bpm 62 watts 7
    0.5 second 5 resistance 30 bpm 63 watts 7
    ride 0.5 on SN-a rider 7 open 3 readings
    "
    );
}

#[test]
fn a_repeated_second_counts_once() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 1.5 ride 1 30\na 2 tel 60 31 6.4\na 2.5 ride 2 30\na 3 tel 61 31 6.4\na 3 tel 61 31 6.4\na 3.5 ride 3 30\na 4 tel 62 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    0.5 second 2 resistance 30 bpm 61 watts 6.4
    0.5 second 3 resistance 30 bpm 62 watts 6.4
    ride 0.5 on SN-a rider 7 open 3 readings
    3 duplicate lines, 1 duplicate readings, 0 rejected
    "
    );
}

#[test]
fn a_header_told_twice_is_one_ride() {
    insta::assert_snapshot!(
        with_header("a 1 user 7\na 1.5 ride 1 30\na 2 tel 60 31 6.4\na 0.5 get\na 1 user 7\na 2.5 ride 2 30\na 3 tel 60 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    0.5 second 2 resistance 30 bpm 60 watts 6.4
    ride 0.5 on SN-a rider 7 open 2 readings
    "
    );
}

#[test]
fn a_missed_header_begins_a_partial_ride() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 300 30\na 2 tel 60 31 6.4\na 8.5 ride 1 0\na 9 tel 70 20 5"),
        @r"
    0.5 second 300 resistance 30 bpm 60 watts 6.4
    8.5 second 1 resistance 0 bpm 70 watts 5
    ride 0.5 on SN-a rider 7 next_ride 1 readings
    ride 8.5 on SN-a rider unknown open 1 readings, partial
    "
    );
}

#[test]
fn joining_midway_makes_a_partial_ride_of_the_key() {
    insta::assert_snapshot!(
        outcome("a 1.5 ride 300 30\na 2 tel 60 31 6.4\na 2.5 main"),
        @r"
    1.5 second 300 resistance 30 bpm 60 watts 6.4
    ride 1.5 on a rider unknown marker 1 readings, partial
    "
    );
}

#[test]
fn a_minute_of_silence_ends_a_ride_and_its_next_second_reopens_it() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 63 ride 2 30\na 63.5 tel 61 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    0.5 second 2 resistance 30 bpm 61 watts 6.4
    ride 0.5 on SN-a rider 7 open 2 readings
    "
    );
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 90 ride 400 30\na 90.5 tel 61 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    90.0 second 400 resistance 30 bpm 61 watts 6.4
    ride 0.5 on SN-a rider 7 idle 1 readings
    ride 90.0 on SN-a rider unknown open 1 readings, partial
    "
    );
}

#[test]
fn a_quiet_bike_ends_by_the_clock_of_the_others() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\nb 20 get\nb 20.5 user 8\nb 61 ride 1 30\nb 61.5 tel 80 31 6.4\nb 62.5 ride 2 30\nb 63 tel 80 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    20.0 second 1 resistance 30 bpm 80 watts 6.4
    20.0 second 2 resistance 30 bpm 80 watts 6.4
    ride 0.5 on SN-a rider 7 idle 1 readings
    ride 20.0 on SN-b rider 8 open 2 readings
    "
    );
}

#[test]
fn one_wild_stamp_does_not_end_the_others_rides() {
    let outcome = with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\nb 3000 get\na 2.5 ride 2 30\na 3 tel 60 31 6.4");
    assert!(
        outcome.contains("ride 0.5 on SN-a rider 7 open 2 readings"),
        "{outcome}"
    );
}

#[test]
fn the_next_header_without_a_marker_ends_the_ride_before() {
    insta::assert_snapshot!(
        with_header("a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 3 get\na 3.5 user 8\na 4 ride 1 30\na 4.5 tel 70 31 6.4"),
        @r"
    0.5 second 1 resistance 30 bpm 60 watts 6.4
    3.0 second 1 resistance 30 bpm 70 watts 6.4
    ride 0.5 on SN-a rider 7 next_ride 1 readings
    ride 3.0 on SN-a rider 8 open 1 readings
    "
    );
}

#[test]
fn what_cannot_be_understood_is_kept_with_its_reason() {
    let told = tell(
        "a 0 raw nonsense\na 1 raw 2026-01-05 10:00:00.5 mendoza v9: [INFO]: Ride - duration = x; resistance = 1\na 2 raw 2031-01-05 10:00:00 mendoza v9: Getting user data from server..\na 3 raw 2026-01-05 10:00:01 mendoza v9: [SYSTEM] data = {}\na 4 raw 1969-12-31 23:59:59 mendoza v9: Getting user data from server..",
    );
    let reasons: Vec<_> = told
        .batch
        .rejected
        .iter()
        .map(|line| (line.offset, line.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            (0, "not a line of the bike's log"),
            (1, "`duration` is not a possible number"),
            (
                2,
                "stamped before 1970, or more than a day away from when it was written"
            ),
            (3, "`[SYSTEM]` data has no `user_id`"),
            (
                4,
                "stamped before 1970, or more than a day away from when it was written"
            ),
        ]
    );
    assert_eq!(told.batch.rejected[0].raw, br#"{"log":"nonsense\n"}"#);
}

#[test]
fn a_checkpoint_brings_the_open_rides_back() {
    let before = "a 1.5 ride 1 30\na 2 tel 60 31 6.4\na 2.5 ride 2 30";
    let mut told = tell(&format!("{HEADER}{before}"));
    let checkpoint = told.pipeline.take_batch(|_| true).unwrap().checkpoints.remove(0);
    assert_eq!((checkpoint.next_offset, checkpoint.replay_from), (7, 1));
    let mut restarted = Pipeline::new(Rules::default(), Tz::UTC);
    let stored = StoredPosition {
        next_offset: 8,
        checkpoint: Some(checkpoint),
        ..StoredPosition::beginning(0)
    };
    assert_eq!(restarted.assign(&stored).unwrap(), 7);
    for (offset, line) in [
        (7, "a 3 tel 61 31 6.4"),
        (8, "a 3.5 ride 3 30"),
        (9, "a 4 tel 62 31 6.4"),
    ] {
        let (key, payload) = message(line);
        let raw = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: None,
            key: Some(key.as_bytes()),
            payload: payload.as_bytes(),
        };
        restarted.message(raw, start());
    }
    let batch = restarted.take_batch(|_| true).unwrap();
    let seconds: Vec<_> = batch.readings.iter().map(|reading| reading.second).collect();
    assert_eq!(seconds, [3], "second 2 was stored before the restart, by offset 7");
    let ride = batch.rides.last().unwrap();
    assert_eq!((ride.rider_id, ride.totals.reading_count), (Some(7), 3));
    assert!(batch.begun.is_empty());
}

#[test]
fn a_bike_whose_clock_is_far_ahead_leaves_the_others_alone() {
    let mut lines = String::from("a 0 get\na 0.5 user 7\n");
    for second in 1..200 {
        // The other bike's clock is an hour ahead, and it keeps time from its second line on.
        let (at, ahead) = (f64::from(second), f64::from(second) + 3600.0);
        lines += &format!("a {at} ride {second} 30\nb {ahead} ride {second} 40\n");
        lines += &format!("a {:.1} tel 90 30 6.4\nb {:.1} tel 80 30 6.4\n", at + 0.5, ahead + 0.5);
    }
    let told = tell(&lines);
    let whole = |reading: &&crate::domain::ride::Reading| reading.has_ride_line && reading.has_telemetry_line;
    assert_eq!(told.batch.readings.len(), 2 * 199);
    // The clock leaps once, which ends what is under way; the next line goes on with it.
    assert!(told.batch.readings.iter().filter(whole).count() >= 2 * 199 - 2);
    assert_eq!(told.pipeline.sessions(0).unwrap().open_rides().count(), 2);
}

#[test]
fn a_ride_line_that_comes_twice_keeps_its_telemetry_line() {
    let told = tell(
        "a 0 get
         a 0.5 user 7
         a 1 ride 1 30
         a 1 ride 1 30
         a 1.5 tel 90 30 6.4
         a 2 ride 2 30
         a 2.5 tel 91 30 6.4",
    );
    let readings = told.batch.readings.iter();
    let readings: Vec<_> = readings
        .map(|reading| (reading.second, reading.heart_rate_bpm))
        .collect();
    assert_eq!(readings, [(1, Some(90)), (2, Some(91))]);
    assert_eq!(told.batch.positions[&0].total().duplicate_lines, 1);
}

#[test]
fn a_line_is_counted_for_the_day_of_its_stamp_or_else_for_that_of_the_lines_before_it() {
    // The day ends 14 hours after the start.
    let told = tell(
        "a 50397 raw nothing yet
         a 50397 get
         a 50397.5 user 7
         a 50398 ride 1 30
         a 50398.5 tel 90 30 6.4
         a 50398.5 raw not a line
         a 50400 ride 2 30
         a 50400.5 tel 91 30 6.4
         a 50400.5 raw not a line
         b 50401 main",
    );
    let days: Vec<_> = told.batch.positions[&0]
        .counts
        .iter()
        .map(|(day, counts)| {
            let lines = counts.ride_lines + counts.telemetry_lines + counts.user_data_lines + counts.system_lines;
            (
                day.to_string(),
                lines,
                counts.marker_lines,
                counts.rejected_lines,
                counts.messages,
            )
        })
        .collect();
    assert_eq!(
        days,
        [
            ("2026-01-05".to_owned(), 4, 0, 2, 6),
            ("2026-01-06".to_owned(), 2, 1, 1, 4)
        ]
    );
    let rejected: Vec<_> = told
        .batch
        .rejected
        .iter()
        .map(|line| line.business_day.to_string())
        .collect();
    assert_eq!(rejected, ["2026-01-05", "2026-01-05", "2026-01-06"]);
}

#[test]
fn a_message_of_an_impossible_time_is_counted_for_the_day_it_came() {
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    pipeline.assign(&StoredPosition::beginning(0)).unwrap();
    // Microseconds for milliseconds, and the end of all time.
    for (offset, timestamp_millis) in (0..).zip([start().timestamp_micros(), i64::MAX, i64::MIN]) {
        let raw = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: Some(timestamp_millis),
            key: Some(b"a"),
            payload: b"no line",
        };
        pipeline.message(raw, start());
    }
    let batch = pipeline.take_batch(|_| true).unwrap();
    let days: Vec<_> = batch.positions[&0].counts.keys().map(ToString::to_string).collect();
    assert_eq!(days, ["2026-01-05"]);
    assert_eq!(batch.rejected.len(), 3);
}

#[test]
fn a_bike_that_was_quiet_for_a_day_is_forgotten() {
    let mut lines = String::from("a 0 get\na 0.5 user 7\na 1 ride 1 30\na 1.5 tel 90 30 6.4\n");
    for quarter in 0..=96 {
        lines += &format!("b {0} ride {0} 30\nb {0}.5 tel 90 30 6.4\n", 30 + quarter * 900);
        // A bike keeps time only if it is heard often enough.
        for minute in 1..15 {
            lines += &format!("b {0} ride {0} 30\n", 30 + quarter * 900 + minute * 60);
        }
        if quarter == 48 {
            assert!(tell(&lines).pipeline.sessions(0).unwrap().encode().unwrap().len() > 300);
        }
    }
    let told = tell(&lines);
    let state = told.pipeline.sessions(0).unwrap().encode().unwrap();
    let has = |text: &[u8]| state.windows(text.len()).any(|window| window == text);
    assert!(has(b"b") && !has(b"SN-a"), "the checkpoint holds what may still go on");
}

/// Tells `lines` from offset `from` on to a pipeline that took the partition over.
fn take_over(lines: &str, from: usize, until: i64) -> Batch {
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    let stored = StoredPosition {
        next_offset: from as i64,
        taken_over_until: Some(until),
        ..StoredPosition::beginning(0)
    };
    assert_eq!(pipeline.assign(&stored).unwrap(), from as i64);
    feed(&mut pipeline, lines, from);
    pipeline.take_batch(|_| true).unwrap()
}

#[test]
fn a_partition_handed_over_counts_each_reading_once() {
    // Bike b's ride ends before the partition changes hands, bike c's began before all the others', bike a's goes on.
    let mut lines = String::from("c 0 get\nc 0.5 user 9\n");
    let second =
        |bike: &str, second: i32| format!("{bike} {second} ride {second} 30\n{bike} {second}.5 tel 90 30 6.4\n");
    for number in 1..=20 {
        lines += &second("c", number);
    }
    lines += "b 20.6 get\nb 20.7 user 8\na 20.8 get\na 20.9 user 7\n";
    for number in 21..=25 {
        lines += &second("c", number);
        lines += &second("b", number);
        lines += &second("a", number);
    }
    lines += "c 26 main\nb 26 main\n";
    let given_up_at = lines.lines().count();
    for number in 26..=30 {
        lines += &second("a", number);
    }
    let told = tell(&lines.lines().take(given_up_at).collect::<Vec<_>>().join("\n"));
    let (from, until) = told.pipeline.handover(0).unwrap();
    assert_eq!(until, given_up_at as i64);
    let open: Vec<_> = told
        .pipeline
        .sessions(0)
        .unwrap()
        .open_rides()
        .map(|ride| ride.ride_id)
        .collect();
    let former = told
        .batch
        .readings
        .iter()
        .filter(|reading| !open.contains(&reading.ride_id));
    let taken_over = take_over(&lines, usize::try_from(from).unwrap(), until);
    let elsewhere: BTreeMap<_, _> = taken_over.elsewhere.iter().copied().collect();
    let kept = taken_over.readings.iter().enumerate().filter_map(|(place, reading)| {
        let is_elsewhere = elsewhere.get(&reading.ride_id).is_some_and(|&before| place < before);
        (!is_elsewhere).then_some(reading)
    });
    let mut together: Vec<_> = former
        .chain(kept)
        .map(|reading| (reading.ride_id, reading.second))
        .collect();
    let whole = tell(&lines);
    let mut expected: Vec<_> = whole
        .batch
        .readings
        .iter()
        .map(|reading| (reading.ride_id, reading.second))
        .collect();
    together.sort_unstable();
    expected.sort_unstable();
    assert_eq!(together, expected);
    let mut begun = taken_over.begun.iter().map(|begun| begun.ride_id);
    assert!(
        begun.all(|ride| open.contains(&ride) || elsewhere.contains_key(&ride)),
        "only the ride that went on is kept"
    );
}

#[test]
fn a_few_long_lines_that_cannot_be_read_fill_a_batch() {
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    pipeline.assign(&StoredPosition::beginning(0)).unwrap();
    let payload = vec![b'x'; 1 << 20];
    for offset in 0..16 {
        assert!(!pipeline.is_full(), "{offset}");
        let raw = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: None,
            key: None,
            payload: &payload,
        };
        pipeline.message(raw, start());
    }
    assert!(pipeline.is_full());
    assert_eq!(pipeline.take_batch(|_| true).unwrap().rejected.len(), 16);
    assert!(!pipeline.is_full());
}

#[test]
fn what_was_taken_over_ends_although_its_last_offset_is_missing() {
    let mut lines = String::from("b 0 get\nb 0.5 user 8\n");
    for second in 1..=5 {
        lines += &format!("b {second} ride {second} 30\nb {second}.5 tel 90 30 6.4\n");
    }
    // Ends by the clock of another bike: provisionally.
    lines += "a 70 get\na 70.5 user 7\n";
    let until = lines.lines().count() as i64 + 3;
    let stored = StoredPosition {
        taken_over_until: Some(until),
        ..StoredPosition::beginning(0)
    };
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    pipeline.assign(&stored).unwrap();
    feed(&mut pipeline, &lines, 0);
    let (key, payload) = message("a 71 ride 1 30");
    let raw = RawMessage {
        partition: 0,
        offset: until + 5,
        timestamp_millis: None,
        key: Some(key.as_bytes()),
        payload: payload.as_bytes(),
    };
    pipeline.message(raw, start() + TimeDelta::minutes(2));
    let mut batch = pipeline.take_batch(|_| true).unwrap();
    assert_eq!(batch.elsewhere.len(), 1);
    assert_eq!(batch.position(0).missing_offsets, 8);
}

#[test]
fn a_partition_taken_on_again_counts_no_message_twice() {
    let lines = "a 0 get\na 0.5 user 7\na 1 ride 1 30\na 1.5 tel 90 30 6.4\na 2 ride 2 30\na 2.5 tel 90 30 6.4\n";
    let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
    let stored = StoredPosition {
        counted_until: 4,
        ..StoredPosition::beginning(0)
    };
    pipeline.assign(&stored).unwrap();
    feed(&mut pipeline, lines, 0);
    let mut batch = pipeline.take_batch(|_| true).unwrap();
    let counts = batch.position(0).total();
    assert_eq!((counts.messages, counts.readings), (2, 1));
    assert_eq!((batch.readings.len(), batch.riders.len()), (2, 0));
    // A line that cannot be read was set aside when it was counted.
    for (offset, expected) in [(2, 0), (5, 1)] {
        let mut pipeline = Pipeline::new(Rules::default(), Tz::UTC);
        pipeline.assign(&stored).unwrap();
        let raw = RawMessage {
            partition: 0,
            offset,
            timestamp_millis: None,
            key: None,
            payload: b"noise",
        };
        pipeline.message(raw, start());
        let mut batch = pipeline.take_batch(|_| true).unwrap();
        assert_eq!(batch.rejected.len(), expected, "{offset}");
        assert_eq!(batch.position(0).missing_offsets, expected as i64, "{offset}");
    }
}
