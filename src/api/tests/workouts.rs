//! Peloton workouts, as the list shows them to whom.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::*;
use crate::{
    domain::{access::Role, workout::graph::Sample},
    peloton::{Unsaid, read},
};

/// Made-up workouts, as the project's sample has them.
const SAMPLE: &[u8] = include_bytes!("../../../data/sample/workouts.csv");

fn take_in(context: &ApiContext, rider_name: &str) {
    let unsaid = Unsaid {
        rider_name: Some(rider_name),
        timezone: None,
        fallback: Tz::Europe__London,
        now: "2026-07-10T12:00:00Z".parse().unwrap(),
    };
    let told = read(SAMPLE, &unsaid).unwrap();
    assert_eq!(told.rejected, []);
    context
        .store
        .take_in_workouts(&told.workouts, &HashMap::new(), None)
        .unwrap();
}

async fn titles(client: &TestClient<impl Endpoint>, query: &str) -> Vec<String> {
    let list = ok(client, &format!("/api/v1/workouts?{query}")).await;
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn workouts_are_those_that_every_filter_lets_through() {
    let (client, context, _folder) = server();
    take_in(&context, "Ann");
    take_in(&context, "Bea");
    let count = async |query: &str| titles(&client, query).await.len();
    assert_eq!(count("").await, 16);
    assert_eq!(count("rider=ann").await, 8);
    assert_eq!(count("rider=nobody").await, 0);
    assert_eq!(count("rider=ann&discipline=Cycling").await, 6);
    assert_eq!(count("rider=ann&kind=just_ride").await, 1);
    assert_eq!(count("rider=ann&class_minutes=30").await, 2);
    assert_eq!(count("rider=ann&from=2026-05-01&to=2026-05-03").await, 3);
    let arden = ["45 min Over and Under Ride", "20 min Slow Flow, Hips"];
    assert_eq!(titles(&client, "rider=ann&instructor=jose%20arden").await, arden);
    assert_eq!(titles(&client, "rider=ann&text=%C3%89ARD").await, [""; 0]);
    assert_eq!(titles(&client, "rider=ann&text=slow%20flow").await, arden[1..]);
    assert_eq!(titles(&client, "rider=ann&text=vale").await, ["20 min Easy Run"]);
}

#[tokio::test]
async fn every_workout_is_on_one_page_newest_first() {
    let (client, context, _folder) = server();
    take_in(&context, "Ann");
    take_in(&context, "Bea");
    let (mut starts, mut ids, mut next) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let page = ok(&client, &format!("/api/v1/workouts?{next}limit=3")).await;
        for item in page["items"].as_array().unwrap() {
            starts.push(item["started_at"].as_str().unwrap().to_owned());
            ids.insert(item["workout_id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("cursor={}&", cursor.replace(':', "%3A"));
    }
    assert_eq!((starts.len(), ids.len()), (16, 16));
    assert!(starts.is_sorted_by(|a, b| a >= b), "{starts:?}");
}

#[tokio::test]
async fn one_workout_is_as_the_list_has_it_until_it_is_deleted() {
    let (client, context, _folder) = server();
    take_in(&context, "Ann");
    let list = ok(&client, "/api/v1/workouts?limit=1").await;
    let newest = &list["items"][0];
    assert_eq!(newest["started_at"], "2026-05-04T06:02:00+00:00");
    assert_eq!(newest["started_local"], "2026-05-04T07:02:00");
    assert_eq!(
        (&newest["distance_metres"], &newest["resistance_percent_mean"]),
        (&15_800.0.into(), &48.0.into())
    );
    let path = format!("/api/v1/workouts/{}", newest["workout_id"].as_str().unwrap());
    assert_eq!(ok(&client, &path).await, *newest);
    let deleted = client.request(Method::DELETE, &path).send().await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(
            client.request(method, &path).send().await.status(),
            StatusCode::NOT_FOUND
        );
    }
    take_in(&context, "Ann");
    assert_eq!(titles(&client, "").await.len(), 7, "it stays deleted");
}

#[tokio::test]
async fn a_workouts_course_is_listed_in_steps_page_by_page_or_as_a_file() {
    let (client, context, _folder) = server();
    take_in(&context, "Ann");
    let list = ok(&client, "/api/v1/workouts?limit=2").await;
    let id = |number: usize| list["items"][number]["workout_id"].as_str().unwrap().to_owned();
    let mut workouts = context.store.workouts_of_day("2026-05-04".parse().unwrap()).unwrap();
    let mut workout = workouts.pop().unwrap().workout;
    workout.peloton_workout_id = Some("a1".to_owned());
    let course = [0, 5, 15].map(|second| Sample {
        second,
        values: [Some(100.5), None, Some(40.0), None, Some(120.0), None, None],
    });
    let courses = HashMap::from([("a1".to_owned(), course.to_vec())]);
    context.store.take_in_workouts(&[workout], &courses, None).unwrap();
    let path = format!("/api/v1/workouts/{}/samples", id(0));
    let page = ok(&client, &format!("{path}?limit=2")).await;
    assert_eq!(
        page["items"][1],
        serde_json::json!({"second": 5, "power_watts": 100.5, "cadence_rpm": null, "resistance_percent": 40.0,
            "speed_metres_per_second": null, "heart_rate_bpm": 120.0, "incline_percent": null, "stroke_rate_spm": null})
    );
    let cursor = page["next"].as_str().unwrap();
    let rest = ok(&client, &format!("{path}?limit=2&cursor={cursor}")).await;
    assert_eq!(
        (&rest["items"][0]["second"], &rest["next"]),
        (&15.into(), &serde_json::Value::Null)
    );
    let file = client.get(&path).header("accept", "text/csv").send().await;
    let file = file.into_body().into_string().await.unwrap();
    assert_eq!(file.lines().nth(3), Some("15,100.5,,40.0,,120.0,,"), "{file}");
    let none = ok(&client, &format!("/api/v1/workouts/{}/samples", id(1))).await;
    assert!(
        none["items"].as_array().unwrap().is_empty(),
        "only an export told of it"
    );
    let missing = client
        .get(format!("/api/v1/workouts/{}/samples", Uuid::nil()))
        .send()
        .await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whose_a_workout_is_only_administrators_are_told() {
    let (client, context, _folder) = server();
    take_in(&context, "Ann");
    let key = |role| context.store.new_api_key(role, None, None).unwrap().1;
    let (admin, analyst, viewer) = (key(Role::Admin), key(Role::Analyst), key(Role::Viewer));
    let get = async |key: &str, query: &str| {
        let path = format!("/api/v1/workouts?{query}");
        let response = client
            .get(path)
            .header("authorization", &format!("Bearer {key}"))
            .send()
            .await;
        (response.status(), json(response).await)
    };
    let (_, seen) = get(&admin, "rider=Ann").await;
    assert_eq!(
        (
            seen["items"][0]["rider_name"].as_str(),
            seen["items"].as_array().unwrap().len()
        ),
        (Some("Ann"), 8)
    );
    let pseudonym = seen["items"][0]["pseudonym"].as_str().unwrap().replace(' ', "%20");
    let (_, seen) = get(&analyst, &format!("rider={pseudonym}")).await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 8);
    assert!(!seen.to_string().contains("Ann"), "{seen}");
    let (_, seen) = get(&analyst, "rider=Ann").await;
    assert!(
        seen["items"].as_array().unwrap().is_empty(),
        "who is called so is not told this way either"
    );
    assert_eq!(get(&viewer, "").await.0, StatusCode::FORBIDDEN);
}
