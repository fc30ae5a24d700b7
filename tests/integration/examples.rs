//! The examples of the OpenAPI document are what a server on the sample's days answers. `UPDATE_GOLDEN=1` writes down what
//! it answers now; then the document is old as well.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use deloton::{
    domain::workout::{Figure, Source, graph::Sample},
    store::query::{self, WorkoutFilter},
};
use serde_json::{Value, json};

use crate::program::{DAYS, Sandbox};

fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi/examples.json")
}

#[test]
fn every_example_of_the_document_is_what_the_server_answers() {
    let sandbox = Sandbox::with_sample();
    for day in DAYS {
        sandbox.succeed(&["run", "publish", "--day", day]);
    }
    let workouts = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/workouts.csv");
    sandbox.succeed(&["import", "peloton", &workouts.to_string_lossy(), "--rider", "Ann"]);
    fetch_course(&sandbox);
    let (_server, address) = sandbox.serve(&["--source", "none"]);
    let mut examples: Value = serde_json::from_str(&fs::read_to_string(place()).unwrap()).unwrap();
    let mut differing = Vec::new();
    for (operation, example) in examples.as_object_mut().unwrap() {
        let answered = ask(&address, &example["request"]);
        let known = json!({ "status": example["status"], "answer": example["answer"] });
        if steady(answered.clone()) != steady(known) {
            differing.push(format!("{operation}: {answered:#}"));
            example["status"] = answered["status"].clone();
            example["answer"] = answered["answer"].clone();
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(place(), format!("{examples:#}\n")).unwrap();
        return;
    }
    assert!(
        differing.is_empty(),
        "openapi/examples.json is old; if this is meant, run with UPDATE_GOLDEN=1, then write openapi.json anew:\n{}",
        differing.join("\n")
    );
}

/// Gives the newest workout a course, as the job `peloton` does, which no file has.
fn fetch_course(sandbox: &Sandbox) {
    let store = sandbox.store();
    let mut newest = query::workouts(&store, &WorkoutFilter::default(), Some(1)).unwrap();
    let mut workout = newest.remove(0).workout;
    workout.peloton_workout_id = Some("2f1c7d0a9b3e4c58a6d1e0f2b4c69708".to_owned());
    workout.source = Source::Api;
    workout.figures.set(Figure::GraphCoverage, Some(1.0));
    let steps = [
        (96.4, 71.8, 36.0, 104.2),
        (118.0, 78.2, 38.4, 109.8),
        (131.6, 80.0, 40.0, 114.0),
    ];
    let course = (0..)
        .step_by(5)
        .zip(steps)
        .map(|(second, (watts, rpm, resistance, bpm))| Sample {
            second,
            values: [
                Some(watts),
                Some(rpm),
                Some(resistance),
                Some(8.2),
                Some(bpm),
                None,
                None,
            ],
        });
    let courses = [(workout.peloton_workout_id.clone().unwrap(), course.collect())].into();
    store.take_in_workouts(&[workout], &courses, None).unwrap();
}

/// What a server answers to an example's request.
fn ask(address: &str, request: &Value) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let text = |name: &str| request[name].as_str().unwrap();
    let made = ureq::http::Request::builder()
        .method(text("method"))
        .uri(format!("http://{address}{}", text("path")))
        .header("content-type", "application/json")
        .body(request.get("body").map(Value::to_string).unwrap_or_default())
        .unwrap();
    let mut answer = agent.run(made).unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    json!({
        "status": answer.status().as_u16(),
        "answer": serde_json::from_str::<Value>(&body).unwrap_or(Value::Null),
    })
}

/// An answer without what is another at each start: the ids of runs, how long they took, and names made with a secret.
fn steady(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for (name, value) in object {
                let drawn = [
                    "run_id",
                    "href",
                    "pseudonym",
                    "log",
                    "version",
                    "erasure_id",
                    "finished_at",
                ];
                let is_drawn = drawn.contains(&name.as_str());
                *value = if is_drawn { Value::Null } else { steady(value.take()) };
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = steady(value.take())),
        _ => {}
    }
    value
}
