//! Bikes being ridden: listed, one with its ride so far, and pushed.

use super::*;

#[tokio::test]
async fn bikes_being_ridden_are_listed_page_by_page() {
    let (client, context, _folder) = server();
    assert_eq!(ok(&client, "/api/v1/live").await["items"], Value::Array(vec![]));
    for bike in ["SN 7", "SN 8", "SN 9"] {
        ride(&context.live, bike, 1);
    }
    let bikes = ok(&client, "/api/v1/live?limit=2").await;
    assert_eq!(
        (&bikes["items"][0]["bike_serial"], &bikes["next"]),
        (&"SN 7".into(), &"534e2038".into())
    );
    assert_eq!(bikes["items"][0]["age_of_reading_seconds"], 3);
    let bikes = ok(&client, "/api/v1/live?limit=2&cursor=534e2038").await;
    assert_eq!(
        (&bikes["items"][0]["bike_serial"], &bikes["next"]),
        (&"SN 9".into(), &Value::Null)
    );
    problem(client.get("/api/v1/live?limit=1001").send().await, 400, "bad-request").await;
    problem(client.get("/api/v1/live?cursor=SN8").send().await, 422, "unsuitable").await;
}

#[tokio::test]
async fn a_bike_being_ridden_is_told_of_with_its_whole_ride_and_what_there_is_to_beat() {
    let (client, context, _folder) = server();
    // Of this ride 300 seconds are stored; the newest two are not yet.
    for second in 299..=302 {
        ride(&context.live, "SN 7", second);
    }
    let trace = ok(&client, "/api/v1/live/SN%207").await;
    let seconds: Vec<i64> = (1..=302).collect();
    assert_eq!(trace["second"], serde_json::json!(seconds));
    assert_eq!(
        (&trace["power_watts"][299], &trace["power_watts"][300]),
        (&55.5.into(), &187.4.into())
    );
    assert_eq!(
        (&trace["heart_rate_bpm"][59], &trace["resistance"][0]),
        (&Value::Null, &40.into())
    );
    let riding = &trace["riding"];
    assert_eq!(
        (&riding["name"], &riding["gender"]),
        (&"Ann Other".into(), &"female".into())
    );
    assert_eq!(
        (&riding["heart_rate_limit_bpm"], &riding["heart_rate_lower_limit_bpm"]),
        (&178.into(), &52.into())
    );
    assert_eq!(
        (&riding["heart_rate_zone"], &riding["heart_rate_standing"]),
        (&"z3".into(), &"within".into())
    );
    // Rider 1 rode every twelfth of the fixture's rides; those before this one, the 200th, count.
    let bests = serde_json::json!({ "duration_seconds": 316, "energy_kilojoules": 212.5, "power_watts": 448.0 });
    assert_eq!(trace["bests"], bests);
    problem(client.get("/api/v1/live/SN8").send().await, 404, "not-found").await;
}

#[tokio::test]
async fn what_is_ridden_is_pushed_and_never_held_back_by_a_compressor() {
    let (client, context, _folder) = server();
    ride(&context.live, "SN 7", 1);
    let response = client
        .get("/live/events")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    assert_eq!(response.content_type(), Some("text/event-stream"));
    let mut events = response.into_body().into_bytes_stream();
    let mut next = async || {
        let event = futures_util::StreamExt::next(&mut events).await.unwrap().unwrap();
        String::from_utf8_lossy(&event).into_owned()
    };
    let first = next().await;
    assert!(
        first.starts_with("event: snapshot") && first.contains(r#""SN 7""#),
        "{first}"
    );
    context.live.retain(|_| false);
    let mut delta = next().await;
    while !delta.contains(r#""gone":[1]"#) {
        delta = next().await;
    }
    assert!(
        delta.starts_with("event: delta") && delta.contains(r#""riding":0"#),
        "{delta}"
    );
}
