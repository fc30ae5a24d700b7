//! How anything is answered: problems, tags, compression, the names it is asked by.

use super::*;

#[tokio::test]
async fn whatever_goes_wrong_is_a_problem_with_a_page() {
    let (client, ..) = server();
    let missing = "/api/v1/rides/019a9064-0000-7000-8000-00000000dead";
    let detail = problem(client.get(missing).send().await, 404, "not-found").await;
    assert!(detail.contains("there is no ride"), "{detail}");
    problem(client.get("/api/v1/riders/999").send().await, 404, "not-found").await;
    problem(client.get("/api/v1/riders/999/rides").send().await, 404, "not-found").await;
    problem(client.get("/api/v1/nonsense").send().await, 404, "not-found").await;
    problem(client.get("/nonsense").send().await, 404, "not-found").await;
    problem(client.get("/api/v1/rides/seven").send().await, 400, "bad-request").await;
    problem(client.get("/api/v1/riders/x").send().await, 400, "bad-request").await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "rider_id=x",
        "cursor=%00",
        "day=x",
        "sort=beauty",
        "fields=ride_id,beauty",
        "limit=1&limit=2",
    ] {
        problem(
            client.get(format!("/api/v1/rides?{query}")).send().await,
            400,
            "bad-request",
        )
        .await;
    }
    for query in [
        "cursor=x",
        "day=2026-02-31",
        "from=2026-02-02&to=2026-02-01",
        "age=40-30",
    ] {
        let asked = client.get(format!("/api/v1/rides?{query}")).send().await;
        problem(asked, 422, "unsuitable").await;
    }
    problem(
        client.get("/api/v1/leaderboard?measure=beauty").send().await,
        400,
        "bad-request",
    )
    .await;
    let detail = problem(
        client.get("/api/v1/rides?riderid=5").send().await,
        400,
        "unknown-parameter",
    )
    .await;
    assert!(
        detail.contains("`riderid`") && detail.contains("`rider_id`"),
        "{detail}"
    );
    let body = client.get("/api/v1/rides").header("content-length", "2000000");
    problem(body.send().await, 413, "payload-too-large").await;
    for kind in crate::api::problem::KINDS {
        let page = text(client.get(format!("/problems/{}", kind.slug)).send().await).await;
        assert!(page.contains(kind.title), "{}", kind.slug);
    }
}

#[tokio::test]
async fn what_is_not_offered_is_refused_with_what_is() {
    let (client, ..) = server();
    for path in [
        format!("/api/v1/rides/{RIDE}"),
        format!("/ride/{RIDE}"),
        "/rider/5".to_owned(),
        "/user/5".to_owned(),
    ] {
        let response = client.request(Method::PUT, &path).send().await;
        assert_eq!(response.header("allow"), Some("DELETE, GET"), "{path}");
        problem(response, 405, "method-not-allowed").await;
    }
    problem(
        client.request(Method::POST, "/live").send().await,
        405,
        "method-not-allowed",
    )
    .await;
    assert_eq!(
        client.request(Method::HEAD, "/api/v1/rides").send().await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn panics_and_foreign_errors_say_nothing_of_their_cause() {
    #[derive(Debug, thiserror::Error)]
    #[error("{1}")]
    struct Other(StatusCode, &'static str);
    impl ResponseError for Other {
        fn status(&self) -> StatusCode {
            self.0
        }
    }
    #[handler]
    fn panics() {
        panic!("the secret is ceo@deloton.example");
    }
    #[handler]
    fn fails() -> poem::Result<Response> {
        Err(Other(StatusCode::INTERNAL_SERVER_ERROR, "secret").into())
    }
    #[handler]
    fn media_type() -> poem::Result<Response> {
        Err(Other(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected `application/json`").into())
    }
    let app = Route::new()
        .at("/panics", get(panics))
        .at("/fails", get(fails))
        .at("/media", get(media_type))
        .with(Problems);
    let client = TestClient::new(app);
    for path in ["/panics", "/fails"] {
        let detail = problem(client.get(path).send().await, 500, "internal-error").await;
        assert!(!detail.contains("secret"), "{detail}");
    }
    let detail = problem(client.get("/media").send().await, 415, "unsupported-media-type").await;
    assert!(detail.contains("application/json"));
}

#[tokio::test]
async fn only_its_own_names_are_answered_to() {
    let (_, context, _folder) = server();
    let client = TestClient::new(routes(context).unwrap());
    for host in [
        "localhost",
        "localhost:8080",
        "127.0.0.1:1",
        "[::1]:8080",
        "LOCALHOST",
        "bikes.example.org",
    ] {
        assert_eq!(
            client.get("/healthz").header("host", host).send().await.status(),
            StatusCode::OK,
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "evil.example:127",
        "",
    ] {
        problem(
            client.get("/api/v1/riders/5").header("host", host).send().await,
            421,
            "misdirected-request",
        )
        .await;
    }
}

#[tokio::test]
async fn an_answer_is_tagged_compressed_and_named() {
    let (client, ..) = server();
    let path = "/api/v1/daily?date=2026-11-20";
    let response = client.get(path).send().await;
    let tag = response.header("etag").unwrap().to_owned();
    assert!(response.header("x-request-id").unwrap().len() == 36);
    let again = client.get(path).header("if-none-match", &tag).send().await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(again).await, "");
    let head = || client.request(Method::HEAD, path);
    let asked = head().send().await;
    assert_eq!(
        asked.header("etag"),
        Some(tag.as_str()),
        "it is that of what GET answers"
    );
    assert_eq!(text(asked).await, "");
    let known = head().header("if-none-match", &tag).send().await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let other = client
        .get("/api/v1/daily?date=2026-11-21")
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(other.status(), StatusCode::OK);
    for coding in ["gzip", "br"] {
        let packed = client.get(path).header("accept-encoding", coding).send().await;
        assert_eq!(packed.header("content-encoding"), Some(coding));
    }
    let refused = "gzip;q=0, br;q=0";
    let plain = client.get(path).header("accept-encoding", refused).send().await;
    assert_eq!(plain.header("content-encoding"), None);
    let vary = plain.headers().get_all("vary").iter();
    assert!(vary.into_iter().any(|value| value == "accept, accept-encoding"));
    let packed = client.get(path).header("content-encoding", "gzip");
    let detail = problem(packed.send().await, 415, "unsupported-media-type").await;
    assert!(detail.contains("`gzip`"), "{detail}");
    let mine = client.get("/nonsense").header("x-request-id", "mine-1").send().await;
    assert_eq!(mine.header("x-request-id"), Some("mine-1"));
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let (_, mut context, _folder) = server();
    context.troubles = Arc::new(|| vec!["the broker at localhost:9092 does not answer".to_owned()]);
    let client = TestClient::new(routes(context.clone()).unwrap()).host("localhost");
    assert_eq!(text(client.get("/healthz").send().await).await, "ok\n");
    let detail = problem(client.get("/readyz").send().await, 503, "unavailable").await;
    assert!(detail.contains("localhost:9092"), "{detail}");
    context.troubles = Arc::new(Vec::new);
    let client = TestClient::new(routes(context).unwrap()).host("localhost");
    assert_eq!(text(client.get("/readyz").send().await).await, "ready\n");
    assert!(
        text(client.get("/metrics").send().await)
            .await
            .contains("deloton_readings_total 498")
    );
}
