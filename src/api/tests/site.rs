//! Pages and files for browsers: the report site, the server's pages, Swagger UI and its document.

use super::*;

#[tokio::test]
async fn the_site_is_served_and_nothing_beside_it() {
    let (client, _, folder) = server();
    std::fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let nothing = client.get("/reports/").send().await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    assert!(text(nothing).await.contains("Nothing is published yet"));

    let day = folder.path().join("site/daily/2026-11-21");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(folder.path().join("site/index.html"), "<h1>All days</h1>").unwrap();
    std::fs::write(day.join("index.html"), "<h1>21 November</h1>").unwrap();
    std::fs::write(day.join("report.pdf"), "%PDF").unwrap();
    std::fs::create_dir(folder.path().join("site/reports")).unwrap();
    std::fs::write(folder.path().join("site/reports/old.html"), "old").unwrap();
    for (path, media_type, body) in [
        ("/reports/", "text/html; charset=utf-8", "<h1>All days</h1>"),
        ("/reports/index.html", "text/html; charset=utf-8", "<h1>All days</h1>"),
        (
            "/reports/daily/2026-11-21/",
            "text/html; charset=utf-8",
            "<h1>21 November</h1>",
        ),
        ("/reports/daily/2026-11-21/report.pdf", "application/pdf", "%PDF"),
        ("/reports/reports/old.html", "text/html; charset=utf-8", "old"),
    ] {
        let response = client.get(path).send().await;
        assert_eq!(response.content_type(), Some(media_type), "{path}");
        assert_eq!(text(response).await, body, "{path}");
    }
    for path in ["/reports", "/reports/daily/2026-11-21"] {
        let response = client.get(path).send().await;
        assert_eq!(response.header("location"), Some(format!("{path}/").as_str()));
    }
    for path in [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "daily/../../secret.txt",
        "..%5csecret.txt",
        "%2e%2e%2f%2e%2e%2fetc/passwd.txt",
        ".hidden.txt",
        "missing.txt",
    ] {
        let response = client.get(format!("/reports/{path}")).send().await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!text(response).await.contains("secret\n"), "{path}");
    }
}

#[tokio::test]
async fn a_site_that_is_elsewhere_is_led_to() {
    let (_, mut context, _folder) = server();
    context.site_directory = None;
    context.site_url = Some("https://reports.example.org/site/".to_owned());
    let client = TestClient::new(routes(context).unwrap()).host("localhost");
    let response = client.get("/reports/daily/2026-11-21/index.html").send().await;
    assert_eq!(
        response.header("location"),
        Some("https://reports.example.org/site/daily/2026-11-21/index.html")
    );
    let reports = ok(&client, "/api/v1/reports?limit=1").await;
    assert_eq!(
        reports["items"][0]["links"][0]["href"],
        "https://reports.example.org/site/daily/2026-11-21/index.html"
    );
}

#[tokio::test]
async fn pages_show_what_the_store_has_and_mask_who_is_written_to() {
    let (client, context, _folder) = server();
    ride(&context.live, "SN0007", 597);
    let page = async |path: &str| {
        let response = client.get(path).send().await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(
            response
                .header("content-security-policy")
                .unwrap()
                .contains("default-src"),
            "{path}"
        );
        text(response).await
    };
    let landing = page("/").await;
    for shown in [
        "200",
        "/docs/",
        "/live",
        "/reports/",
        "/jobs",
        "/outbox",
        "22 Nov 14:59",
    ] {
        assert!(landing.contains(shown), "{shown}");
    }
    assert!(page("/live").await.contains("<noscript>"));
    assert!(page("/live").await.contains("SN0007"));
    let jobs = page("/jobs").await;
    assert_eq!(jobs.matches(r#"<td class="cell succeeded""#).count(), 7);
    assert!(jobs.contains("cannot render `report&#x2F;day.html`") || jobs.contains("cannot render `report/day.html`"));
    assert!(jobs.contains(r#"<td class="cell waiting"><a href="/jobs/compact/2026-11-08""#));
    assert!(jobs.contains(r#"<td class="cell late"><a href="/jobs/publish/2026-11-08""#));
    assert!(jobs.contains("publish, 2026-11-08: late; waits for report, past its deadline"));
    let outbox = page("/outbox").await;
    assert!(
        outbox.contains("c…@deloton.example") && !outbox.contains("ceo@"),
        "{outbox}"
    );
    let id = "019a9000-0000-7000-8000-000000000001";
    assert!(page(&format!("/outbox/{id}")).await.contains(r"<iframe"));
    let body = client.get(format!("/outbox/{id}/body")).send().await;
    assert!(
        body.header("content-security-policy")
            .unwrap()
            .starts_with("sandbox; default-src 'none'")
    );
    assert!(text(body).await.contains("<h1>100 rides</h1>"));
    problem(client.get("/outbox/nonsense").send().await, 404, "not-found").await;
}

#[tokio::test]
async fn swagger_ui_and_everything_the_pages_load_is_compiled_in() {
    let (client, ..) = server();
    let docs = text(client.get("/docs/").send().await).await;
    assert!(docs.contains("SwaggerUIBundle") && docs.contains("list_rides"));
    assert!(docs.contains(r#""scheme": "bearer""#), "a key can be given");
    for (path, media_type) in [
        ("app.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("live.js", "text/javascript; charset=utf-8"),
        ("fonts/InterVar-dtn.woff2", "font/woff2"),
        ("vendor/uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
        ("vendor/uplot/uPlot.min.css", "text/css; charset=utf-8"),
    ] {
        let response = client.get(format!("/static/{path}")).send().await;
        assert_eq!(response.content_type(), Some(media_type), "{path}");
    }
    let icon = client.get("/favicon.ico").send().await;
    assert_eq!(icon.content_type(), Some("image/svg+xml"));
    problem(client.get("/static/../Cargo.toml").send().await, 404, "not-found").await;
}

#[test]
fn the_committed_document_is_the_one_this_code_makes() {
    let committed = include_str!("../../../openapi/openapi.json");
    assert!(
        committed == openapi_document(),
        "openapi/openapi.json is old: write it anew with `deloton openapi`"
    );
}

#[tokio::test]
async fn the_document_is_what_is_served_and_every_operation_is_described() {
    let (client, ..) = server();
    let document = ok(&client, "/openapi.json").await;
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            assert!(ids.insert(id.to_owned()) && !id.is_empty(), "{method} {path}");
            assert!(
                operation["summary"].is_string() && operation["tags"][0].is_string(),
                "{path}"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{path} {}", parameter["name"]);
            }
        }
    }
    assert!(ids.contains("get_ride") && ids.len() >= 16, "{ids:?}");
}
