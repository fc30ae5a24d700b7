//! Files as Peloton and the older system write them. All names and figures are made up.

use super::*;
use crate::domain::workout::{Figure, Kind, Precision, Source};

mod courses;

const EXPORT: &str = "Workout Timestamp,Live/On-Demand,Instructor Name,Length (minutes),Fitness Discipline,Type,Title,Class \
    Timestamp,Total Output,Avg. Watts,Avg. Resistance,Avg. Cadence (RPM),Avg. Speed (mph),Distance (mi),Calories \
    Burned,Avg. Heartrate,Avg. Incline,Avg. Pace (min/mi)\n";

fn unsaid() -> Unsaid<'static> {
    Unsaid {
        rider_name: Some("Ann"),
        timezone: None,
        fallback: Tz::Europe__London,
        now: "2026-01-10T12:00:00Z".parse().unwrap(),
    }
}

fn read_text(text: &str) -> Told {
    read(text.as_bytes(), &unsaid()).unwrap()
}

fn figures(workout: &Workout) -> Vec<(&'static str, f64)> {
    let given = Figure::ALL
        .into_iter()
        .filter_map(|figure| Some((figure.name(), workout.figures.get(figure)?)));
    given
        .map(|(name, value)| (name, (value * 1000.0).round() / 1000.0))
        .collect()
}

fn reasons(told: &Told) -> Vec<String> {
    told.rejected
        .iter()
        .map(|rejected| format!("{}: {}", rejected.place, rejected.reason))
        .collect()
}

#[test]
fn an_export_is_read_with_its_units_and_quoted_titles() {
    let told = read_text(&format!(
        "{EXPORT}2025-01-14 18:05 (EST),Live,Zoë Årud,30,Cycling,Music,\"30 min Hills, Again\",2025-01-14 18:00 \
         (EST),250,139,45%,81,18.00,9.00,300,141.5,,\n"
    ));
    assert_eq!(reasons(&told), [""; 0]);
    let [workout] = told.workouts.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(workout.instructor.as_deref(), Some("Zoë Årud"));
    assert_eq!(workout.title.as_deref(), Some("30 min Hills, Again"));
    assert_eq!(
        (workout.kind, workout.is_live, workout.class_seconds),
        (Kind::Class, Some(true), Some(1800))
    );
    assert_eq!(workout.start.at.to_rfc3339(), "2025-01-14T23:05:00+00:00");
    assert_eq!(workout.start.local.to_string(), "2025-01-14 18:05:00");
    assert_eq!(
        figures(workout),
        [
            ("total_output_kilojoules", 250.0),
            ("power_watts_mean", 139.0),
            ("resistance_percent_mean", 45.0),
            ("cadence_rpm_mean", 81.0),
            ("speed_metres_per_second_mean", 8.047),
            ("distance_metres", 14484.096),
            ("energy_kilocalories", 300.0),
            ("heart_rate_bpm_mean", 141.5),
        ]
    );
}

#[test]
fn a_heart_rate_that_nobody_had_is_none() {
    let told = read_text(&format!(
        "{EXPORT}2025-01-14 18:05 (EST),Live,Ida Quist,30,Cycling,Music,30 min Hills,2025-01-14 18:00 (EST),250,139,45%,81,\
         18.00,9.00,300,0,,\n"
    ));
    let heart_rates = told
        .workouts
        .iter()
        .map(|workout| workout.figures.get(Figure::HeartRate));
    assert_eq!(heart_rates.collect::<Vec<_>>(), [None]);
}

#[test]
fn kilometres_and_older_spellings_of_the_header_mean_the_same() {
    let metric = EXPORT
        .replace("(mph)", "(kph)")
        .replace("(mi)", "(km)")
        .replace("(min/mi)", "(min/km)");
    let older = EXPORT.replace("(mph)", "(MPH)").replace("(mi)", "(miles)");
    let row = "2025-01-14 18:05 (UTC),,,20,Running,Fun Run,20 min Fun Run,,,,,,";
    let miles = read_text(&format!("{older}{row}6.21,2.07,210,,1.5%,9:39\n"));
    let kilometres = read_text(&format!("{metric}{row}10.00,3.33,210,,1.5%,6.0\n"));
    let of = |told: &Told| figures(&told.workouts[0]);
    assert_eq!(
        of(&kilometres),
        [
            ("speed_metres_per_second_mean", 2.778),
            ("distance_metres", 3330.0),
            ("energy_kilocalories", 210.0),
            ("incline_percent_mean", 1.5),
            ("pace_seconds_per_kilometre_mean", 360.0),
        ]
    );
    for ((name, one), (_, other)) in of(&miles).into_iter().zip(of(&kilometres)) {
        assert!((one - other).abs() / other < 0.002, "{name}: {one} {other}");
    }
}

#[test]
fn a_zone_of_letters_says_where_and_numbers_say_when() {
    let at = |zone: &str, unsaid: Unsaid<'_>| {
        let text = format!("{EXPORT}2025-07-01 06:30 ({zone}),,,5,Yoga,,5 min Flow,,,,,,,,,,,\n");
        let told = read(text.as_bytes(), &unsaid).unwrap();
        told.workouts
            .first()
            .map(|workout| (workout.start.at.to_rfc3339(), workout.start.precision))
            .ok_or(reasons(&told))
    };
    let (clock, minute) = (Precision::WallClock, Precision::Minute);
    let expected = [
        // In July nobody in California has standard time, whatever the file says.
        ("PST", "2025-07-01T13:30:00+00:00", clock),
        ("PDT", "2025-07-01T13:30:00+00:00", clock),
        ("CET", "2025-07-01T04:30:00+00:00", clock),
        ("-07", "2025-07-01T13:30:00+00:00", minute),
        ("+0530", "2025-07-01T01:00:00+00:00", minute),
        ("UTC", "2025-07-01T06:30:00+00:00", minute),
        ("", "2025-07-01T05:30:00+00:00", clock),
    ];
    for (zone, instant, precision) in expected {
        assert_eq!(at(zone, unsaid()), Ok((instant.to_owned(), precision)), "{zone}");
    }
    let abroad = Unsaid {
        timezone: Some(Tz::America__New_York),
        ..unsaid()
    };
    assert_eq!(at("PST", abroad).unwrap().0, "2025-07-01T10:30:00+00:00");
    assert_eq!(at("-07", abroad).unwrap().0, "2025-07-01T13:30:00+00:00");
    let unknown = at("XST", unsaid()).unwrap_err();
    assert!(
        unknown[0].contains("`XST`") && unknown[0].contains("--timezone"),
        "{unknown:?}"
    );
}

#[test]
fn rides_without_a_class_are_told_apart() {
    let rows = "2025-01-01 10:00 (UTC),,,0,Cycling,,23 sec Just Ride,,4,142,69%,46,17.19,0.12,5,,,\n\
                2025-01-02 10:00 (UTC),,,15,Cycling,,Lanebreak Ride,,90,100,40%,80,17,4,100,,,\n\
                2025-01-03 10:00 (UTC),On Demand,,None,Cycling,Scenic Ride,5 KM Fjord Ride,,83,128,42%,79,17.5,3.1,118,,,\n\
                2025-01-04 10:00 (UTC),,,30,Cycling,,30 min Entertainment Ride,,83,128,42%,79,17.5,3.1,118,,,\n\
                2025-01-05 10:00 (UTC),,,45,Outdoor,,45 min Outdoor,,,,,,,3.1,118,,,\n\
                2025-01-06 10:00 (UTC),On Demand,Ida Quist,45,Bike Bootcamp,Music,45 min Bootcamp,,,,,,,,443,,,\n";
    let told = read_text(&format!("{EXPORT}{rows}"));
    let kinds: Vec<_> = told
        .workouts
        .iter()
        .map(|workout| (workout.discipline.as_str(), workout.kind, workout.class_seconds))
        .collect();
    assert_eq!(
        kinds,
        [
            ("cycling", Kind::JustRide, Some(0)),
            ("cycling", Kind::Lanebreak, Some(900)),
            ("cycling", Kind::Scenic, None),
            ("cycling", Kind::Entertainment, Some(1800)),
            ("outdoor", Kind::Freestyle, Some(2700)),
            ("bike_bootcamp", Kind::Class, Some(2700)),
        ]
    );
}

#[test]
fn a_bad_row_is_named_by_its_line_and_breaks_no_other() {
    let good = |day: u32| format!("2025-01-{day:02} 10:00 (UTC),Live,Ida Quist,20,Yoga,,20 min Flow,,,,,,,,80,,,\n");
    let mut bytes = format!(
        "{EXPORT}{}yesterday,Live,,20,Yoga,,T,,,,,,,,,,,\n\n{}2025-01-03 10:00 (UTC),Live,,20,Yoga\n\
         2025-01-04 10:00 (UTC),Live,,20,Yoga,,\"open,,,,,,,,,,,\n{}2025-01-06 10:00 (UTC),,,x,Yoga,,T,,,,,,,,,,,\n\
         2025-01-07 10:00 (UTC),,,5,Cycling,,T,,many,,,,,,,,,\n2025-01-08 10:00 (UTC),,,5,,,T,,,,,,,,,,,\n",
        good(1),
        good(2),
        good(5),
    )
    .into_bytes();
    bytes.extend_from_slice(b"2025-01-09 10:00 (UTC),,,5,Yoga,,caf\xe9,,,,,,,,,,,\n");
    bytes.extend_from_slice(good(10).as_bytes());
    let told = read(&bytes, &unsaid()).unwrap();
    let days: Vec<_> = told
        .workouts
        .iter()
        .map(|workout| workout.start.local.format("%d").to_string())
        .collect();
    assert_eq!(days, ["01", "02", "05", "10"]);
    assert_eq!(
        reasons(&told),
        [
            "line 3: `yesterday` is no time like `2024-03-01 18:05 (EST)`",
            "line 6: it has 5 columns, and the header 18",
            "line 7: a quote is opened and not closed",
            "line 9: its `length` are no minutes: `x`",
            "line 10: its `total output` is no number: `many`",
            "line 11: it has no `fitness discipline`",
            "line 12: it is not UTF-8",
        ]
    );
}

#[test]
fn what_cannot_have_been_is_rejected_with_its_bounds() {
    let row = |start: &str, kilojoules: &str, bpm: &str| {
        format!("{start} 10:00 (UTC),Live,Ida Quist,20,Cycling,,20 min Hills,,{kilojoules},,,,,,80,{bpm},,\n")
    };
    let told = read_text(&format!(
        "{EXPORT}{}{}{}{}{}",
        row("2026-01-10", "250", "140"),
        row("1902-03-02", "250", "140"),
        row("2999-03-02", "250", "140"),
        row("2025-03-02", "99999", "140"),
        row("2025-03-02", "250", "999"),
    ));
    assert_eq!(told.workouts.len(), 1);
    let begun = |day| format!("it cannot have begun on {day}: before 2012, or in the future");
    assert_eq!(
        reasons(&told),
        [
            format!("line 3: {}", begun("1902-03-02")),
            format!("line 4: {}", begun("2999-03-02")),
            "line 5: its `total_output_kilojoules` would be 99999, and is between 0 and 20000".to_owned(),
            "line 6: its `heart_rate_bpm_mean` would be 999, and is between 0 and 250".to_owned(),
        ]
    );
    let negative = untaught("a1", "JUST RIDE").replace("90000.5", "-5000");
    for negative in [
        negative.replace("\"has_pedaling_metrics\":true", "\"has_pedaling_metrics\":false"),
        negative,
    ] {
        let told = read_text(&negative);
        assert!(
            reasons(&told)[0].contains("`total_output_kilojoules` would be -5,"),
            "{told:?}"
        );
    }
}

#[test]
fn a_length_that_nobody_rides_and_an_end_in_the_future_are_rejected_whoever_tells_of_them() {
    let api = |start: i64, end: i64| {
        let sound = untaught("a1", "JUST RIDE");
        let told = read_text(
            &sound
                .replace("1735725600", &start.to_string())
                .replace("1735726501", &end.to_string()),
        );
        reasons(&told).join("")
    };
    let start = 1_708_094_952;
    assert_eq!(api(start, start + 86_400), "");
    assert_eq!(api(start, start - 1), "", "its end is not known");
    let bounds = "and is between 0 and 86400";
    for (end, seconds) in [
        (start + 86_401, 86_401),
        (1_709_999_999, 1_905_047),
        (i64::MAX, i32::MAX),
    ] {
        assert_eq!(
            api(start, end),
            format!("the document: its `ridden_seconds` would be {seconds}, {bounds}")
        );
    }
    let now = unsaid().now.timestamp();
    let a_day = 86_400;
    assert_eq!(api(now, now + a_day), "", "clocks may be a day ahead");
    assert_eq!(
        api(now + 3600, now + 3601 + a_day - 3600),
        "the document: it cannot have ended on 2026-01-11: that is in the future"
    );
    let long = untaught("a1", "JUST RIDE").replace("\"duration\":901", "\"duration\":1e12");
    assert!(reasons(&read_text(&long))[0].contains("`class_seconds` would be 2147483647"));
    let export = |minutes: &str| {
        let row = format!("2025-01-14 18:05 (UTC),Live,Ida Quist,{minutes},Yoga,,20 min Flow,,,,,,,,80,,,\n");
        reasons(&read_text(&format!("{EXPORT}{row}"))).join("")
    };
    let older = |minutes: &str| {
        let header = "workout_id,date,class_title,instructor,class_type,length_min,total_output_kj,rider_name";
        let row = format!("aa01,2023-05-25 09:31:58,T,Ida Quist,cycling,{minutes},265.2,Bea\n");
        reasons(&read_text(&format!("{header}\n{row}"))).join("")
    };
    for of_minutes in [export as fn(&str) -> String, older] {
        assert_eq!(of_minutes("1440"), "");
        assert_eq!(
            of_minutes("1441"),
            format!("line 2: its `class_seconds` would be 86460, {bounds}")
        );
        assert!(of_minutes("99999999999").contains("are no minutes"));
    }
}

#[test]
fn a_column_that_is_there_twice_is_refused_by_its_name() {
    let twice = EXPORT.replace("Avg. Watts", "Total Output");
    let error = read(twice.as_bytes(), &unsaid()).unwrap_err().to_string();
    assert!(error.contains("`total output`") && error.contains("twice"), "{error}");
    let both = EXPORT.replace("Avg. Incline", "Distance (km)");
    assert!(
        read(both.as_bytes(), &unsaid())
            .unwrap_err()
            .to_string()
            .contains("`distance`")
    );
}

#[test]
fn a_column_that_is_named_otherwise_is_not_missed_in_silence() {
    let remarks = |header: &str| read_text(header).remarks;
    let older = "workout_id,date,class_title,instructor,class_type,length_min,total_output_kj,rider_name\n";
    for known in [EXPORT, older, &EXPORT.replace("Total Output", " total output (kJ)")] {
        assert_eq!(remarks(known), [""; 0], "{known}");
    }
    let otherwise = EXPORT
        .replace("Total Output", "Output kJ")
        .replace(",Title", ",Workout Title");
    assert_eq!(
        remarks(&otherwise),
        [
            "columns that are not known, and left out: `Workout Title`, `Output kJ`; columns that are not there: `title`, \
             `total output`"
        ]
    );
    assert_eq!(
        remarks(&older.replace(",rider_name", "")),
        ["columns that are not there: `rider_name`"]
    );
}

#[test]
fn lines_may_end_as_they_do_on_old_machines() {
    let row = "2025-01-14 18:05 (UTC),Live,Ida Quist,20,Yoga,,20 min Flow,,,,,,,,80,,,\n";
    for end in ["\r", "\r\n", "\n"] {
        let told = read_text(&format!("{EXPORT}{row}{row}").replace('\n', end));
        assert_eq!((told.workouts.len(), told.rejected.len()), (2, 0), "{end:?}");
    }
}

#[test]
fn what_is_wrong_with_an_answer_is_said_without_a_programmers_words() {
    let sound = untaught("a1", "JUST RIDE");
    let reason = |broken: &str| reasons(&read_text(broken)).join("\n");
    let said = [
        reason("[5]"),
        reason(&sound.replace("90000.5", "\"much\"")),
        reason(&sound.replace("1735725600", "\"today\"")),
        reason(&sound.replace("{\"id\":\"00000000000000000000000000000000\"", "5,\"x\":{\"id\":\"\"")),
    ];
    for said in &said {
        assert!(
            said.contains("it is no workout: ") && said.contains("expected a"),
            "{said}"
        );
        assert!(
            !said.contains("struct") && !said.contains("f64") && !said.contains("i64"),
            "{said}"
        );
    }
}

#[test]
fn the_older_systems_file_names_its_riders_and_its_game_is_not_all_a_game() {
    let text = "workout_id,date,class_title,instructor,class_type,length_min,total_output_kj,rider_name\n\
                aa01,2023-05-25 09:31:58,30 min Hills,Ida Quist,cycling,30,265.2,Bea\n\
                aa02,2023-05-26 09:31:58,20 min Slow Flow,no instructor,yoga,20,0.0,Bea\n\
                aa03,2023-05-27 09:31:58,15 min Some Band,no instructor,lanebreak,15,128.7,Cem\n\
                aa04,2023-05-28 09:31:58,15 min Just Ride,no instructor,lanebreak,15,98.7,Cem\n\
                aa05,2023-05-29 09:31:58,5 KM Fjord Ride,no instructor,cycling,0,98.7,\n\
                ,2023-05-30 09:31:58,T,no instructor,cycling,5,1.0,Cem\n";
    let told = read_text(text);
    let seen: Vec<_> = told
        .workouts
        .iter()
        .map(|workout| {
            let output = workout.figures.get(Figure::TotalOutput);
            (
                workout.rider_name.as_str(),
                workout.discipline.as_str(),
                workout.kind,
                workout.class_seconds,
                output,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("Bea", "cycling", Kind::Class, Some(1800), Some(265.2)),
            ("Bea", "yoga", Kind::Class, Some(1200), None),
            ("Cem", "cycling", Kind::Lanebreak, Some(900), Some(128.7)),
            ("Cem", "cycling", Kind::JustRide, Some(900), Some(98.7)),
            ("Ann", "cycling", Kind::Class, None, Some(98.7)),
        ]
    );
    let first = &told.workouts[0];
    assert_eq!(
        (first.source, first.start.precision),
        (Source::OlderSystem, Precision::Second)
    );
    assert_eq!(first.start.at.to_rfc3339(), "2023-05-25T09:31:58+00:00");
    assert_eq!(first.start.local.to_string(), "2023-05-25 10:31:58");
    assert_eq!(told.workouts[1].instructor, None);
    assert_eq!(reasons(&told), ["line 7: it has no `workout_id`"]);
}

#[test]
fn what_cannot_be_an_id_is_none() {
    let older = |id: &str| {
        let header = "workout_id,date,class_title,instructor,class_type,length_min,total_output_kj,rider_name";
        read_text(&format!(
            "{header}\n{id},2023-05-25 09:31:58,T,Ida Quist,cycling,30,265.2,Bea\n"
        ))
    };
    let api = |id: &str| read_text(&untaught(id, "JUST RIDE"));
    let long = "a".repeat(65);
    for id in ["../me", "a?b=c", "=1+1", "a b", long.as_str()] {
        for told in [older(id), api(id)] {
            assert!(
                told.workouts.is_empty() && reasons(&told)[0].contains("is no id"),
                "{told:?}"
            );
        }
    }
    for id in ["0a", "e6fbd376-2610_6444", &long[..64]] {
        assert_eq!((older(id).workouts.len(), api(id).workouts.len()), (1, 1), "{id}");
    }
}

#[test]
fn a_time_at_the_end_of_the_calendar_costs_its_own_row_alone() {
    let there = |timezone| Unsaid {
        timezone: Some(timezone),
        ..unsaid()
    };
    let row = |time: &str| format!("{time},Live,Ida Quist,20,Yoga,,20 min Flow,,,,,,,,80,,,\n");
    for time in [
        "+262142-12-31 23:59 (-12)",
        "-262143-01-01 00:00 (+12)",
        "+262142-12-31 23:59",
    ] {
        let text = format!("{EXPORT}{}{}", row(time), row("2025-01-14 18:05 (UTC)"));
        let told = read(text.as_bytes(), &there(Tz::Pacific__Honolulu)).unwrap();
        assert_eq!(reasons(&told).len(), 1, "{time}");
        assert_eq!(told.workouts.len(), 1, "{time}");
    }
    let last = untaught("a1", "JUST RIDE")
        .replace("1735725600", "8210266876799")
        .replace("Etc/GMT+5", "Asia/Tokyo");
    let told = read_text(&[&last, &untaught("a2", "JUST RIDE")].map(String::as_str).join("\n"));
    assert_eq!(reasons(&told), ["line 1: its `start_time` is no time: 8210266876799"]);
    assert_eq!(told.workouts.len(), 1);
}

/// An item of a list: a workout without a class, as the API tells of it.
fn untaught(id: &str, instructor: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"COMPLETE","start_time":1735725600,"end_time":1735726501,"timezone":"Etc/GMT+5",
        "fitness_discipline":"cycling","workout_type":"freestyle","name":"Cycling Workout","total_work":90000.5,
        "has_pedaling_metrics":true,"ride":{{"id":"00000000000000000000000000000000","title":"15 min Ride","duration":901,
        "instructor":{{"name":"{instructor}","image_url":null}}}}}}"#
    )
    .replace('\n', "")
}

#[test]
fn saved_answers_are_read_as_a_list_as_lines_and_alone() {
    let kinds =
        ["JUST RIDE", "TIME GOAL", "ENTERTAINMENT", "LANEBREAK"].map(|name| untaught(&name.replace(' ', "-"), name));
    let list = format!(r#"{{"data":[{}],"page":0,"show_next":false}}"#, kinds.join(","));
    let expected = [Kind::JustRide, Kind::TimeGoal, Kind::Entertainment, Kind::Lanebreak];
    for text in [list, kinds.join("\n"), format!("[{}]", kinds.join(","))] {
        let told = read_text(&text);
        assert_eq!(reasons(&told), [""; 0]);
        assert_eq!(
            told.workouts.iter().map(|workout| workout.kind).collect::<Vec<_>>(),
            expected
        );
    }
    let alone = read_text(&kinds[0]);
    let workout = &alone.workouts[0];
    assert_eq!((workout.class_seconds, workout.ridden_seconds), (Some(901), Some(901)));
    assert_eq!(figures(workout), [("total_output_kilojoules", 90.001)]);
    // `Etc/GMT+5` is five hours behind UTC.
    assert_eq!(workout.start.local.to_string(), "2025-01-01 05:00:00");
    assert_eq!(workout.instructor, None);
}

#[test]
fn an_answer_may_lack_nearly_everything() {
    let sparse = r#"{"id":"b1","start_time":1735725600,"fitness_discipline":"caesar"}"#;
    let class = r#"{"id":"b2","status":"COMPLETE","start_time":1735725600,"end_time":null,"fitness_discipline":"cycling",
        "workout_type":"class","total_work":178774.24,"leaderboard_rank":9,"total_leaderboard_users":80,
        "ftp_info":{"ftp":171},"effort_zones":{"total_effort_points":69.6},"ride":{"title":"30 min Hills","duration":1800,
        "instructor_id":"c0ffee","instructor":null,"original_air_time":1735660800}}"#
        .replace('\n', "");
    let running = r#"{"id":"b3","status":"IN_PROGRESS","start_time":1735725600,"fitness_discipline":"cycling"}"#;
    let graph = r#"{"duration":10,"seconds_since_pedaling_start":[1],"metrics":[]}"#;
    let told = read_text(&[sparse, &class, running, graph, r#"{"id":"#, "{}"].join("\n"));
    assert_eq!(told.workouts.len(), 2);
    assert_eq!(
        (told.workouts[0].discipline.as_str(), &told.workouts[0].title),
        ("rowing", &None)
    );
    let class = &told.workouts[1];
    assert_eq!(
        class.instructor.as_deref(),
        Some("c0ffee"),
        "an instructor whose name is not known"
    );
    assert_eq!((class.leaderboard, class.ridden_seconds), (Some((9, 80)), None));
    let reasons = reasons(&told);
    assert_eq!(reasons[0], "line 3: it is IN_PROGRESS, not COMPLETE");
    assert_eq!(
        reasons[1],
        "line 4: it is a performance graph without a `workout_id`, which says of which workout it is"
    );
    assert!(reasons[2].starts_with("line 5: it is no JSON"), "{reasons:?}");
    assert!(
        reasons[3].starts_with("line 6: it is no workout: missing field `id`"),
        "{reasons:?}"
    );
}

#[test]
fn a_file_of_another_kind_is_refused_in_words() {
    let refused = |text: &str| read(text.as_bytes(), &unsaid()).unwrap_err().to_string();
    assert!(refused("a,b\n1,2\n").contains("Download Workouts"));
    assert!(refused(r#"{"data": [{"id": "a","#).contains("breaks off"));
    assert_eq!(refused(" \n"), "it is empty");
    assert!(refused("Workout Timestamp;Title\n").contains("separated by `;`"));
    let utf_16: Vec<u8> = "\u{feff}Workout".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&utf_16, &unsaid()).unwrap_err();
    assert_eq!(error.to_string(), "it is UTF-16; save it as UTF-8");
    let nameless = Unsaid {
        rider_name: None,
        ..unsaid()
    };
    for text in [EXPORT, "{}"] {
        assert!(
            read(text.as_bytes(), &nameless)
                .unwrap_err()
                .to_string()
                .contains("--rider")
        );
    }
}
