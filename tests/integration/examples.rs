//! The examples of the OpenAPI document are what a server on the sample's days answers. `UPDATE_GOLDEN=1` writes down what
//! it answers now; then the document is old as well.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
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
