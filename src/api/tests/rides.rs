//! The pages of the last hours and of one ride, beside what the API says of the same.

use super::*;

async fn page(client: &TestClient<impl Endpoint>, path: &str) -> String {
    let response = client.get(path).header("accept", "text/html,*/*").send().await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.content_type(), Some("text/html; charset=utf-8"), "{path}");
    text(response).await
}

#[tokio::test]
async fn the_last_hours_say_the_same_on_the_page_and_in_the_api() {
    let (client, ..) = server();
    let recent = ok(&client, "/api/v1/recent").await;
    assert_eq!(
        (&recent["rides"], &recent["riding"], &recent["duration_seconds"]),
        (&30.into(), &1.into(), &9572.into())
    );
    let genders = recent["by_gender"].as_array().unwrap();
    let named: Vec<_> = genders
        .iter()
        .map(|of| (of["name"].as_str().unwrap(), of["rides"].as_i64().unwrap()))
        .collect();
    assert_eq!(named, [("female", 15), ("male", 14), ("unknown", 1)]);
    let hours = recent["by_hour"].as_array().unwrap();
    let begun: i64 = hours.iter().map(|hour| hour["rides"].as_i64().unwrap()).sum();
    assert_eq!((hours.len(), begun), (13, 30));

    let html = page(&client, "/recent").await;
    for shown in [
        "id=\"rides\">30<",
        "2\u{202f}h\u{202f}40\u{202f}min",
        "Women 50",
        "1 under way",
        "not known",
        "/ride/01a20",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    let women = ok(&client, "/api/v1/recent?hours=12&gender=female&age_band=35-44").await;
    let html = page(&client, "/recent?hours=12&gender=female&age_band=35%E2%80%9344").await;
    assert!(
        html.contains(&format!("id=\"rides\">{}<", women["rides"])),
        "{}",
        women["rides"]
    );
    assert!(html.contains("value=\"female\" selected") && html.contains("value=\"35–44\" selected"));
    let html = page(&client, "/recent?hours=1&gender=&age_band=").await;
    assert!(html.contains("No one rode in the last hour."), "{html}");
    for (wrong, status, kind) in [
        ("hours=0", 400, "bad-request"),
        ("hours=73", 400, "bad-request"),
        ("gender=x", 400, "bad-request"),
        ("age_band=x", 422, "unsuitable"),
    ] {
        let refused = client.get(format!("/api/v1/recent?{wrong}")).send().await;
        problem(refused, status, kind).await;
        let response = client
            .get(format!("/recent?{wrong}"))
            .header("accept", "text/html")
            .send()
            .await;
        assert_eq!(response.status().as_u16(), status, "{wrong}");
    }
}

#[tokio::test]
async fn older_rides_are_on_the_next_page_and_none_is_there_twice() {
    let (client, ..) = server();
    let mut path = "/recent?hours=72".to_owned();
    let mut seen = Vec::new();
    loop {
        let html = page(&client, &path).await;
        let rides = html.split("href=\"/ride/").skip(1).map(|rest| rest[..36].to_owned());
        seen.extend(rides);
        let Some((before, _)) = html.split_once("#list\">Older rides") else {
            break;
        };
        path = before
            .rsplit_once("href=\"")
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap()
            .replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 250);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
}

#[tokio::test]
async fn a_ride_has_a_page_for_browsers_and_its_older_path_answers_programs_as_ever() {
    let (client, ..) = server();
    let path = format!("/ride/{RIDE}");
    let html = page(&client, &path).await;
    for shown in [
        "Rider9 Number9",
        "05:16",
        "Heart rate, bpm; dashed: the limits",
        "Z2 · 60–70",
        "5\u{202f}s without hand contact",
        "id=\"columns\"",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    assert_eq!(ok(&client, &path).await["ride_id"], RIDE);
    let response = client.get("/ride/seven").header("accept", "text/html").send().await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_second_of_a_ride_can_be_downloaded() {
    let (client, ..) = server();
    let response = client.get(format!("/ride/{RIDE}/seconds.csv")).send().await;
    assert_eq!(response.content_type(), Some("text/csv; charset=utf-8"));
    assert!(
        response
            .header("content-disposition")
            .unwrap()
            .contains(&format!("ride-{RIDE}.csv"))
    );
    let csv = text(response).await;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 301);
    assert_eq!(lines[60], "60,2026-11-21T23:01:00.000000Z,55.5,,60,40,true,false");
    let all = ok(&client, &format!("/ride/{RIDE}/seconds.json")).await;
    let page = ok(&client, &format!("/api/v1/rides/{RIDE}/readings?limit=1000")).await;
    assert_eq!(all, page["items"]);
    let response = client
        .get("/ride/019a9064-0000-7000-8000-00000000dead/seconds.csv")
        .send()
        .await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
