//! The courses of workouts: performance graphs, as the API answers them and as people save them.

use super::*;
use crate::peloton::graph::graph;

#[test]
fn the_course_of_a_workout_is_in_our_units_and_says_how_much_of_it_there_is() {
    let answer = serde_json::json!({
        "duration": 20, "seconds_since_pedaling_start": [1, 6, 16],
        "average_summaries": [
            {"slug": "avg_output", "display_unit": "watts", "value": 113},
            {"slug": "avg_speed", "display_unit": "mph", "value": 20.0},
        ],
        "summaries": [
            {"slug": "total_output", "display_unit": "kj", "value": 3},
            {"slug": "distance", "display_unit": "mi", "value": 0.1},
        ],
        "metrics": [
            {"slug": "output", "display_unit": "watts", "average_value": 110, "values": [100, null, 120]},
            {"slug": "heart_rate", "display_unit": "bpm", "average_value": 131.0, "values": [120, 130, 140]},
            {"slug": "pace", "display_unit": "min/mi", "values": [9.0, 9.0, 9.0], "alternatives": [
                {"slug": "speed", "display_unit": "kph", "values": [36.0, 36.0, 18.0]},
            ]},
        ],
        "location_data": [{"coordinates": [{"latitude": 1.0, "longitude": 2.0}]}],
    });
    let graph = graph(&answer, 5).unwrap();
    let rows: Vec<_> = graph
        .samples
        .iter()
        .map(|sample| (sample.second, sample.values))
        .collect();
    let row = |watts, speed: f64, bpm| [watts, None, None, Some(speed), Some(bpm), None, None];
    assert_eq!(
        rows,
        [
            (0, row(Some(100.0), 10.0, 120.0)),
            (5, row(None, 10.0, 130.0)),
            (15, row(Some(120.0), 5.0, 140.0)),
        ]
    );
    let figure = |figure| graph.figures.get(figure);
    assert_eq!(figure(Figure::GraphCoverage), Some(0.75));
    assert_eq!(
        (figure(Figure::Power), figure(Figure::HeartRate)),
        (Some(113.0), Some(131.0))
    );
    assert_eq!(figure(Figure::TotalOutput), None, "the workout itself has it in joules");
    assert!((figure(Figure::Distance).unwrap() - 160.934).abs() < 0.001);
}

#[test]
fn a_saved_course_is_told_of_its_workout_and_of_no_other() {
    let course = |id: &str| {
        format!(
            r#"{{"workout_id":"{id}","duration":20,"seconds_since_pedaling_start":[1,16],"metrics":[
            {{"slug":"output","display_unit":"watts","values":[100,99999]}}],"average_summaries":[
            {{"slug":"avg_output","display_unit":"watts","value":100}}]}}"#
        )
        .replace('\n', "")
    };
    let told_with = |text: &str, stored: &HashMap<String, (Workout, usize)>| {
        let mut told = read_text(text);
        let samples = told.join_courses(stored);
        (told, samples)
    };
    let sound = untaught("a1", "JUST RIDE");
    let (told, samples) = told_with(&format!("{sound}\n{}\n{}", course("a1"), course("a2")), &HashMap::new());
    assert_eq!((told.workouts.len(), samples["a1"].len(), samples.len()), (2, 1, 1));
    assert_eq!(
        figures(&told.workouts[1]),
        [("total_output_kilojoules", 90.001), ("power_watts_mean", 100.0)],
        "without a coverage: a finer one may come in"
    );
    assert_eq!(
        told.remarks,
        ["line 2: left out are values of `power_watts` that are not between 0 and 2500: 1"]
    );
    assert!(
        reasons(&told)[0].starts_with("line 3: it is the course of the workout `a2`, of which nothing is stored"),
        "{told:?}"
    );
    let mut workout = told.workouts.into_iter().next().unwrap();
    let mut told_beside = |coverage: Option<f64>, stored_samples: usize| {
        workout.figures.set(Figure::GraphCoverage, coverage);
        let stored = HashMap::from([("a1".to_owned(), (workout.clone(), stored_samples))]);
        let (told, samples) = told_with(&course("a1"), &stored);
        assert_eq!(told.workouts.len(), 1);
        samples.len()
    };
    assert_eq!(told_beside(None, 0), 1);
    assert_eq!(told_beside(None, 1), 0, "there is as fine a one");
    assert_eq!(told_beside(Some(0.0), 0), 1, "Peloton has none");
    assert_eq!(told_beside(Some(0.9), 0), 0, "that was fetched as a whole");
}

#[test]
fn what_no_body_and_no_bike_does_is_in_no_sample_and_is_counted() {
    let impossible = [
        ("output", "watts", 2501.0, "power_watts"),
        ("cadence", "rpm", -1.0, "cadence_rpm"),
        ("resistance", "%", 101.0, "resistance_percent"),
        ("speed", "kph", 145.0, "speed_metres_per_second"),
        ("heart_rate", "bpm", 100_000.0, "heart_rate_bpm"),
        ("heart_rate", "bpm", -5.0, "heart_rate_bpm"),
        ("incline", "%", 51.0, "incline_percent"),
        ("stroke_rate", "spm", 101.0, "stroke_rate_spm"),
    ];
    for (slug, unit, value, name) in impossible {
        let graph = course_of(slug, unit, [20.0, value, 30.0]);
        let seconds: Vec<_> = graph.samples.iter().map(|sample| sample.second).collect();
        assert_eq!(seconds, [0, 15], "{slug}");
        let left_out: Vec<_> = graph.left_out().collect();
        assert!(
            left_out.len() == 1 && left_out[0].contains(name) && left_out[0].ends_with(": 1"),
            "{left_out:?}"
        );
    }
}

#[test]
fn a_level_of_resistance_is_no_percentage() {
    let resistance = |unit: &str| {
        let graph = course_of("resistance", unit, [20.0, 25.0, 30.0]);
        (graph.samples.len(), graph.figures.get(Figure::Resistance))
    };
    assert_eq!(resistance("%"), (3, Some(25.0)));
    for unit in ["level", ""] {
        assert_eq!(resistance(unit), (0, None), "{unit}");
    }
}

/// A course of twenty seconds with three values of one metric, and its mean.
fn course_of(slug: &str, unit: &str, values: [f64; 3]) -> Graph {
    let answer = serde_json::json!({
        "duration": 20, "seconds_since_pedaling_start": [1, 6, 16],
        "average_summaries": [{"slug": format!("avg_{slug}"), "display_unit": unit, "value": 25.0}],
        "metrics": [{"slug": slug, "display_unit": unit, "values": values}],
    });
    graph(&answer, 5).unwrap()
}

#[test]
fn the_pace_of_a_run_is_in_seconds_a_kilometre_wherever_it_is_told() {
    let run = |unit: &str, metric: Option<f64>, summary: Option<f64>| {
        let answer = serde_json::json!({
            "duration": 10, "seconds_since_pedaling_start": [1, 6],
            "average_summaries": [{"slug": "avg_pace", "display_unit": unit, "value": summary}],
            "metrics": [{"slug": "pace", "display_unit": unit, "average_value": metric, "values": [null, 9.5],
                "alternatives": [{"slug": "speed", "display_unit": "mph", "average_value": 6.3, "values": [0.0, 6.3]}]}],
        });
        let pace = graph(&answer, 5).unwrap().figures.get(Figure::Pace);
        pace.map(f64::round)
    };
    assert_eq!(run("min/km", Some(6.5), Some(6.25)), Some(375.0));
    assert_eq!(run("min/km", Some(6.5), None), Some(390.0));
    assert_eq!(run("min/mi", None, Some(9.5)), Some(354.0), "what 9:30 is in an export");
    assert_eq!(run("min/500m", Some(2.0), Some(2.0)), None, "a rower's is none");
}

#[test]
fn a_course_of_more_than_a_day_is_refused_and_takes_no_memory() {
    let course = |duration: f64, second: i32| {
        let answer = serde_json::json!({
            "duration": duration, "seconds_since_pedaling_start": [1, second],
            "metrics": [{"slug": "output", "display_unit": "watts", "values": [100, 110]}],
        });
        graph(&answer, 5)
    };
    assert_eq!(course(86_400.0, 86_400).unwrap().samples.len(), 2);
    let most = i32::MAX;
    for (duration, second) in [(f64::from(most), 6), (-1.0, 6), (20.0, most), (20.0, -1)] {
        let refused = course(duration, second).unwrap_err();
        assert!(refused.contains("between 0 and 86400"), "{refused}");
    }
}
