//! What staff see to: jobs and their runs, limits and alerts, rejected lines.

use super::*;

#[tokio::test]
async fn jobs_have_their_newest_run_and_runs_come_in_pages() {
    let (client, ..) = server();
    let jobs = ok(&client, "/api/v1/jobs").await;
    assert_eq!(jobs["items"][0]["name"], "compact");
    assert_eq!(jobs["items"][0]["last_run"]["window"], "2026-11-21");
    assert_eq!(jobs["items"][0]["last_run"]["counts"]["rides"], 100);
    assert_eq!(jobs["items"][2]["last_run"], Value::Null);
    let mut windows = Vec::new();
    let mut path = "/api/v1/jobs/report/runs?limit=3".to_owned();
    loop {
        let page = ok(&client, &path).await;
        windows.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["window"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/jobs/report/runs?limit=3&cursor={next}");
    }
    assert_eq!(windows, ["2026-11-21", "2026-11-20", "2026-11-19", "2026-11-18"]);
    assert_eq!(
        ok(&client, "/api/v1/jobs/publish/runs").await["items"],
        Value::Array(vec![])
    );
    problem(client.get("/api/v1/jobs/nonsense/runs").send().await, 404, "not-found").await;
}

#[tokio::test]
async fn a_riders_own_limits_are_set_shown_and_cleared() {
    let (client, _, _folder) = server();
    let path = "/api/v1/riders/1/limits";
    let put = async |path: &str, body: &'static str| {
        let request = client
            .request(Method::PUT, path)
            .header("content-type", "application/json");
        let request = TestRequest {
            server: request.server,
            request: request.request,
        };
        request.server.get_response(request.request.body(body)).await
    };
    let before = ok(&client, path).await;
    assert_eq!(before["own_upper_bpm"], Value::Null);
    let response = put(path, r#"{"upper_bpm": 150}"#).await;
    assert_eq!(response.status(), StatusCode::OK);
    let set = json(response).await;
    assert_eq!(
        (&set["upper_bpm"], &set["upper_source"]),
        (&150.into(), &"rider".into())
    );
    assert_eq!(
        (&set["lower_bpm"], &set["is_mailed"]),
        (&before["lower_bpm"], &true.into())
    );
    assert_eq!(ok(&client, path).await, set);
    for (body, words) in [
        (r#"{"upper_bpm": 1500}"#, "1500 bpm"),
        (r#"{"upper_bpm": 90, "lower_bpm": 100}"#, "not below"),
        (r#"{"uper_bpm": 90}"#, "uper_bpm"),
    ] {
        let (status, slug) = if words == "uper_bpm" {
            (400, "bad-request")
        } else {
            (422, "unsuitable")
        };
        let detail = problem(put(path, body).await, status, slug).await;
        assert!(detail.contains(words), "{words}: {detail}");
    }
    let response = client.request(Method::DELETE, path).send().await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(ok(&client, path).await, before);
    // One who never rode may have limits already, and nobody knows anything of one who has none.
    let stranger = "/api/v1/riders/987654/limits";
    problem(client.get(stranger).send().await, 404, "not-found").await;
    assert_eq!(put(stranger, r#"{"lower_bpm": 60}"#).await.status(), StatusCode::OK);
    assert_eq!(ok(&client, stranger).await["upper_bpm"], Value::Null);
}

#[tokio::test]
async fn alerts_are_listed_newest_first_and_page_by_page() {
    let (client, context, _folder) = server();
    let sql =
        "insert into daily.alert select ?::uuid, 1, timestamptz '2026-11-22 14:00:00Z' + interval (i) minute, i * 60,
               'high', i, 190, 178, 'tanaka', 10 from range(1, 4) t(i)";
    context.store.connection().unwrap().execute(sql, [RIDE]).unwrap();
    let page = ok(&client, "/api/v1/alerts?limit=2&rider_id=1").await;
    let levels = |page: &Value| -> Vec<i64> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|alert| alert["level"].as_i64().unwrap()).collect()
    };
    assert_eq!(levels(&page), [3, 2]);
    assert_eq!(page["items"][0]["mail_state"], Value::Null);
    let next = page["next"].as_str().unwrap();
    let page = ok(&client, &format!("/api/v1/alerts?limit=2&cursor={next}")).await;
    assert_eq!((levels(&page), &page["next"]), (vec![1], &Value::Null));
    assert!(levels(&ok(&client, "/api/v1/alerts?rider_id=2").await).is_empty());
    problem(
        client.get("/api/v1/alerts?day=someday").send().await,
        400,
        "bad-request",
    )
    .await;
}

#[tokio::test]
async fn rejected_lines_are_listed_shown_and_replayed() {
    let (client, context, _folder) = server();
    let list = ok(&client, "/api/v1/rejected").await;
    let line = serde_json::json!({
        "topic": "deloton", "partition": 0, "offset": 7, "received_at": "2026-11-22T10:00:00+00:00",
        "reason": "no line", "bike_serial": "SN0001"
    });
    assert_eq!(list["items"], serde_json::json!([line]), "without its text");
    assert_eq!(
        ok(&client, "/api/v1/rejected?topic=other").await["items"],
        serde_json::json!([])
    );
    let shown = ok(&client, "/api/v1/rejected/0/7").await;
    assert_eq!(
        (&shown["items"][0]["text"], &shown["items"][0]["offset"]),
        (&Value::from("x"), &Value::from(7))
    );
    problem(client.get("/api/v1/rejected/0/8").send().await, 404, "not-found").await;

    let another = "insert into daily.rejected_line select * replace (8 as \"offset\") from daily.rejected_line";
    context.store.connection().unwrap().execute_batch(another).unwrap();
    let first = ok(&client, "/api/v1/rejected?limit=1").await;
    let next = first["next"].as_str().unwrap();
    let second = ok(&client, &format!("/api/v1/rejected?limit=1&cursor={next}")).await;
    assert_eq!(
        (&first["items"][0]["offset"], &second["items"][0]["offset"]),
        (&Value::from(8), &Value::from(7))
    );
    assert_eq!(second["next"], Value::Null);

    let replay = || client.request(Method::POST, "/api/v1/rejected/replay");
    let replayed = replay().header("origin", "http://localhost:8080").send().await;
    let replayed = json(replayed).await;
    assert_eq!(
        (&replayed["lines"], &replayed["refused"]),
        (&Value::from(0), &Value::from(2))
    );
    let list = ok(&client, "/api/v1/rejected").await;
    assert_eq!(
        list["items"][0]["reason"], "not a JSON object in UTF-8",
        "the reason is today's"
    );
    let refused = replay().header("origin", "https://evil.example").send().await;
    problem(refused, 403, "forbidden").await;
}

#[tokio::test]
async fn a_run_is_asked_for_and_answered_with_where_to_look() {
    let (client, _context, _folder) = server();
    let start = |path: &str| client.request(Method::POST, path).send();
    let asked = start("/api/v1/jobs/compact/runs?window=2026-11-20").await;
    let href = "/api/v1/runs/00000000-0000-0000-0000-000000000007";
    assert_eq!(
        (asked.status(), asked.header("location")),
        (StatusCode::ACCEPTED, Some(href))
    );
    assert_eq!(json(asked).await["window"], "2026-11-20");
    assert_eq!(ok(&client, href).await["outcome"], "waiting");
    for (path, status, slug) in [
        ("/api/v1/jobs/nonsense/runs", 404, "not-found"),
        ("/api/v1/jobs/compact/runs?window=soon", 400, "bad-request"),
        (
            "/api/v1/jobs/compact/runs?window=2026-11-20T07:00:00Z",
            422,
            "unsuitable",
        ),
        ("/api/v1/jobs/compact/runs?day=2026-11-20", 400, "unknown-parameter"),
    ] {
        problem(start(path).await, status, slug).await;
    }
}

#[tokio::test]
async fn a_window_is_run_again_from_its_page_and_from_no_page_of_another_site() {
    let (client, _context, _folder) = server();
    let page = client.get("/jobs/compact/2026-11-20").send().await;
    assert_eq!(page.status(), StatusCode::OK);
    // Browsers hide the origin of a page's forms from its own server under any stricter policy.
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    let page = text(page).await;
    let form = r#"<form class="again" method="post" action="/jobs/compact/2026-11-20">"#;
    assert!(page.contains(form), "{page}");
    let again = |origin: &str| {
        let again = client.request(Method::POST, "/jobs/compact/2026-11-20");
        again.header("origin", origin).send()
    };
    let place = "/jobs/compact/2026-11-20?run=00000000-0000-0000-0000-000000000007";
    let asked = again("http://localhost:8080").await;
    assert_eq!(
        (asked.status(), asked.header("location")),
        (StatusCode::SEE_OTHER, Some(place))
    );
    let waiting = text(client.get(place).send().await).await;
    assert!(waiting.contains("… waiting"), "{waiting}");
    for origin in ["https://evil.example", "null"] {
        problem(again(origin).await, 403, "forbidden").await;
    }
    let too_early = client.request(Method::POST, "/jobs/compact/2026-11-22");
    let too_early = too_early.header("origin", "http://localhost:8080").send().await;
    assert_eq!(
        (too_early.status(), too_early.header("content-type")),
        (StatusCode::BAD_REQUEST, Some("text/html; charset=utf-8"))
    );
    let page = text(too_early).await;
    assert!(page.contains("! not run</span> 2026-11-22 is not over yet"), "{page}");
    for path in [
        "/jobs/nonsense/2026-11-20",
        "/jobs/compact/soon",
        "/jobs/compact/2026-W47",
    ] {
        assert_eq!(client.get(path).send().await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
