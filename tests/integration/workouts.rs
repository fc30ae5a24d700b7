//! Peloton workouts from files, as people take them in. What is in the files is made up, but for the real ones that may be
//! beside this checkout.

use std::path::Path;

use crate::program::{DAYS, Sandbox, recorded};

const EXPORT: &str = "Workout Timestamp,Live/On-Demand,Instructor Name,Length (minutes),Fitness Discipline,Type,Title,Class \
    Timestamp,Total Output,Avg. Watts,Avg. Resistance,Avg. Cadence (RPM),Avg. Speed (kph),Distance (km),Calories \
    Burned,Avg. Heartrate,Avg. Incline,Avg. Pace (min/km)\n";

const HILLS: &str = "2025-01-14 18:05 (EST),Live,Ida Quist,30,Cycling,Climb,\"30 min Hills, Again\",2025-01-14 18:00 \
    (EST),250,139,45%,81,28.97,14.48,300,141.5,,\n";

const FLOW: &str =
    "2025-01-13 07:00 (EST),On Demand,Ida Quist,20,Yoga,,20 min Flow,2024-11-01 09:00 (EST),,,,,,,60,,,\n";

/// The same ride, as the API tells of it.
const HILLS_OF_API: &str = r#"{"id":"aa01","status":"COMPLETE","start_time":1736895941,"end_time":1736897741,
    "timezone":"America/New_York","fitness_discipline":"cycling","workout_type":"class","name":"Cycling Workout",
    "total_work":250431.5,"has_pedaling_metrics":true,"ride":{"title":"30 min Hills, Again","duration":1800,
    "instructor":{"name":"Ida Quist"},"original_air_time":1736895600}}"#;

#[test]
fn files_that_overlap_become_one_history_and_bad_rows_are_named() {
    let sandbox = Sandbox::new();
    let first = sandbox.write("first.csv", format!("{EXPORT}{HILLS}{FLOW}"));
    let bad = "2025-01-15 07:00 (EST),On Demand,Ida Quist,20,Yoga,,20 min Flow,,,,,,,,lots,,,\n";
    let second = sandbox.write(
        "second.csv",
        format!("{EXPORT}{bad}{FLOW}{}", FLOW.replace("-13 07", "-14 07")),
    );
    let answers = sandbox.write("answers.json", HILLS_OF_API);
    let import = |files: &[&str]| {
        let words: Vec<_> = ["import", "peloton"]
            .iter()
            .chain(files)
            .chain(&["--rider", "Ann"])
            .copied()
            .collect();
        sandbox.succeed(&words)
    };
    assert_eq!(
        import(&[&first, &second]),
        format!(
            "{first}: 2 rows: 2 new, 0 changed, 0 unchanged, 0 rejected\n{second}: 3 rows: 1 new, 0 changed, 1 unchanged, \
             1 rejected\n  line 2: its `calories burned` is no number: `lots`\n"
        )
    );
    assert_eq!(
        import(&[&answers]),
        format!("{answers}: 1 row: 0 new, 1 changed, 0 unchanged, 0 rejected\n")
    );
    assert_eq!(
        import(&[&first]),
        format!("{first}: 2 rows: 0 new, 0 changed, 2 unchanged, 0 rejected\n")
    );
    let hills = "select workout_id, started_at, started_local, peloton_workout_id as id, instructor, class_type,
        round(distance_metres) as metres, total_output_kilojoules as kilojoules, ridden_seconds
        from historical.workout where discipline = 'cycling'";
    let row = &sandbox.rows(hills)[0];
    let workout_id = row.split('"').nth(3).unwrap().to_owned();
    assert_eq!(
        row.replace(&workout_id, "…"),
        r#"{"workout_id":"…","started_at":"2025-01-14 23:05:41+00","started_local":"2025-01-14 18:05:41","id":"aa01","instructor":"Ida Quist","class_type":"Climb","metres":14480.0,"kilojoules":250.4315,"ridden_seconds":1800}"#
    );
    assert!(sandbox.succeed(&["import", "forget", &workout_id]).contains("stays so"));
    assert!(import(&[&first]).contains("0 new, 0 changed, 1 unchanged, 1 deleted before and left so"));
    assert!(
        sandbox
            .fail(&["import", "forget", &workout_id])
            .contains("there is no workout")
    );
}

#[test]
fn columns_that_are_named_otherwise_are_told_after_the_summary() {
    let sandbox = Sandbox::new();
    let header = EXPORT.replace("Total Output", "Output kJ");
    let file = sandbox.write("export.csv", format!("{header}{FLOW}"));
    let said = sandbox.succeed(&["import", "peloton", &file, "--rider", "Ann"]);
    let remark = "columns that are not known, and left out: `Output kJ`; columns that are not there: `total output`";
    assert_eq!(
        said,
        format!("{file}: 1 row: 1 new, 0 changed, 0 unchanged, 0 rejected\n  {remark}\n")
    );
}

#[test]
fn a_file_that_cannot_be_taken_in_holds_up_no_other() {
    let sandbox = Sandbox::new();
    let good = sandbox.write("good.csv", format!("{EXPORT}{FLOW}"));
    let other = sandbox.write("other.csv", "a,b\n1,2\n");
    let said = sandbox.run(&["import", "peloton", "missing.csv", &other, &good, "--rider", "Ann"]);
    assert!(!said.status.success());
    assert!(said.out.contains("1 row: 1 new"), "{said:?}");
    assert!(
        said.err.contains("cannot read `missing.csv`") && said.err.contains("Download Workouts"),
        "{said:?}"
    );
    assert!(sandbox.fail(&["import", "peloton", &good]).contains("--rider"));
    let bad = sandbox.write("bad.csv", format!("{EXPORT}{}", FLOW.replace(",60,", ",lots,")));
    let said = sandbox.run(&["import", "peloton", &bad, "--rider", "Ann"]);
    assert!(!said.status.success() && said.out.contains("1 rejected"), "{said:?}");
    assert!(
        said.err.contains("nothing of") && said.err.contains("could be taken in"),
        "{said:?}"
    );
}

#[test]
fn a_workout_of_the_api_is_not_taken_in_under_a_second_name() {
    let sandbox = Sandbox::new();
    let answers = sandbox.write("answers.json", HILLS_OF_API);
    sandbox.succeed(&["import", "peloton", &answers, "--rider", "Ann"]);
    let said = sandbox.succeed(&["import", "peloton", &answers, "--rider", "Bea"]);
    assert!(
        said.contains("0 new") && said.contains("1 of another rider and left out"),
        "{said}"
    );
    assert_eq!(
        sandbox.rows("select rider_name from historical.workout"),
        [r#"{"rider_name":"Ann"}"#]
    );
}

#[test]
fn a_running_server_takes_files_in_for_a_command_in_another_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("export.csv", format!("{EXPORT}{FLOW}"));
    let (mut server, _) = sandbox.serve(&[]);
    let said = sandbox.succeed(&["import", "peloton", "export.csv", "--rider", "Ann"]);
    assert!(said.contains("1 row: 1 new"), "{said}");
    server.kill();
}

#[test]
fn every_row_of_the_real_files_is_accounted_for() {
    let files = [
        ("peloton_export_mph_245.csv", 245, 0),
        ("peloton_export_edge_cases.csv", 8, 0),
        ("peloton_seed004_all_rides.csv", 722, 0),
        ("peloton_api_workouts_list.jsonl", 255, 0),
        // The same 255, with their classes: nothing more is known of those without one.
        ("peloton_api_workout_details.jsonl", 0, 185),
    ];
    // After the newest of them.
    let sandbox = Sandbox::new().at("2026-06-01T12:00:00Z");
    for (name, new, changed) in files {
        let Some(path) = recorded(name) else { return };
        let path = path.display().to_string();
        let rider = &name[..12];
        let import = || sandbox.succeed(&["import", "peloton", &path, "--rider", rider]);
        let rows = if new == 0 { 255 } else { new };
        let unchanged = rows - new - changed;
        let expected = format!("{rows} rows: {new} new, {changed} changed, {unchanged} unchanged, 0 rejected\n");
        let said = import();
        assert!(said.ends_with(&expected) && said.lines().count() == 1, "{name}: {said}");
        let again = import();
        let unchanged = format!("{rows} rows: 0 new, 0 changed, {rows} unchanged, 0 rejected\n");
        assert!(again.ends_with(&unchanged), "{name}: {again}");
    }
    // The course of one of them, and of none of another rider's.
    let Some(course) = recorded("peloton_api_performance_graph_sample_60s.json") else {
        return;
    };
    let course = course.display().to_string();
    let refused = sandbox.fail(&["import", "peloton", &course, "--rider", "peloton_expo"]);
    assert!(refused.contains("nothing of"), "{refused}");
    for became in ["1 changed, 0 unchanged", "0 changed, 1 unchanged"] {
        let said = sandbox.succeed(&["import", "peloton", &course, "--rider", "peloton_api_"]);
        assert!(
            said.ends_with(&format!("1 row: 0 new, {became}, 0 rejected\n")),
            "{said}"
        );
    }
    let steps =
        "select count(*) as steps, max(second) as last, max(heart_rate_bpm) as bpm from historical.workout_sample";
    assert_eq!(sandbox.rows(steps), [r#"{"steps":21,"last":1195,"bpm":179.0}"#]);
    let known =
        "select kind, count(*) as workouts from historical.workout where source = 'api' group by kind order by kind";
    assert_eq!(
        sandbox.rows(known),
        [
            r#"{"kind":"class","workouts":143}"#,
            r#"{"kind":"entertainment","workouts":3}"#,
            r#"{"kind":"just_ride","workouts":63}"#,
            r#"{"kind":"lanebreak","workouts":1}"#,
            r#"{"kind":"scenic","workouts":42}"#,
            r#"{"kind":"time_goal","workouts":3}"#,
        ]
    );
}

#[test]
fn the_page_of_training_is_on_the_site_for_those_who_want_it_and_for_nobody_else() {
    let sandbox = Sandbox::with_sample();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/sample/workouts.csv")
        .display()
        .to_string();
    for rider in ["Ann", "Bea"] {
        sandbox.succeed(&["import", "peloton", &sample, "--rider", rider]);
    }
    let page = sandbox.path("data/site/training/index.html");
    let index = || std::fs::read_to_string(sandbox.path("data/site/index.html")).unwrap();
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    assert!(!page.exists() && !index().contains("training/"));
    sandbox.succeed(&["run", "publish", "--day", DAYS[1], "--training-rider", "ann"]);
    let shown = std::fs::read_to_string(&page).unwrap();
    assert!(
        shown.contains("8 workouts at Peloton of Ann") && !shown.contains("Bea"),
        "{shown}"
    );
    assert!(index().contains("training/index.html"));
    let records = std::fs::read_to_string(sandbox.path("data/site/training/records.csv")).unwrap();
    assert!(
        records.contains("Ann,30,281,156,2026-05-04,30 min Rolling Hills Ride"),
        "{records}"
    );
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    assert!(!page.exists(), "who does not want it any more is gone from the site");
}
