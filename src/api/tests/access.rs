//! Keys, roles, browsers that sign in, and what nobody may ask too much of.

use super::*;
use crate::{
    api::problem::Refusal,
    domain::access::Role,
    store::{Store, StoreError},
};

/// A server that has keys, with one of each role, the least first.
fn locked() -> (TestClient<impl Endpoint>, ApiContext, [String; 3], TempDir) {
    let (client, context, folder) = server();
    let key = |role| format!("Bearer {}", context.store.new_api_key(role, None, None).unwrap().1);
    let keys = Role::ALL.map(key);
    (client, context, keys, folder)
}

async fn with_key(client: &TestClient<impl Endpoint>, path: &str, key: &str) -> Response {
    client.get(path).header("authorization", key).send().await
}

#[tokio::test]
async fn a_key_opens_what_its_role_may_see_and_nothing_more() {
    let (client, context, keys, _folder) = locked();
    ride(&context.live, "SN0007", 3);
    let ride = format!("/api/v1/rides/{RIDE}");
    for (path, opens) in [
        ("/api/v1/leaderboard", [200, 200, 200]),
        ("/api/v1/live", [200, 200, 200]),
        ("/live", [200, 200, 200]),
        ("/recent", [200, 200, 200]),
        ("/metrics", [200, 200, 200]),
        ("/nonsense", [404, 404, 404]),
        (ride.as_str(), [403, 200, 200]),
        ("/rides/?limit=1", [403, 200, 200]),
        ("/api/v1/riders/5", [403, 200, 200]),
        ("/jobs", [403, 200, 200]),
        ("/outbox", [403, 403, 200]),
        ("/api/v1/rejected/0/7", [403, 403, 200]),
    ] {
        for (key, status) in keys.iter().zip(opens) {
            // Each key has few requests a minute.
            let client = TestClient::new(routes(context.clone()).unwrap()).host("localhost");
            let response = with_key(&client, path, key).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
            if status == 403 {
                let detail = problem(response, 403, "role-too-low").await;
                assert!(detail.contains("needs a key of role"), "{detail}");
            }
        }
        let nobody = client.get(path).send().await;
        assert!(nobody.header("www-authenticate").unwrap().starts_with("Bearer"));
        problem(nobody, 401, "unauthorized").await;
    }
    for (method, path) in [
        (Method::POST, "/api/v1/rejected/replay"),
        (Method::POST, "/jobs/compact/2026-11-20"),
        (Method::DELETE, "/api/v1/riders/1/limits"),
    ] {
        let asked = client
            .request(method, path)
            .header("authorization", &keys[1])
            .send()
            .await;
        problem(asked, 403, "role-too-low").await;
    }
}

#[tokio::test]
async fn who_a_rider_is_only_an_administrator_is_told() {
    let (client, context, [viewer, analyst, admin], _folder) = locked();
    ride(&context.live, "SN0007", 3);
    let seen = async |path: &str, key: &str| json(with_key(&client, path, key).await).await;
    let pseudonym = context.store.pseudonyms().of(5);
    let rider = seen("/api/v1/riders/5", &analyst).await;
    for personal in ["forename", "surname", "email_address", "address", "date_of_birth"] {
        assert_eq!(rider[personal], Value::Null, "{personal}");
    }
    assert_eq!(
        (&rider["age"], &rider["pseudonym"]),
        (&41.into(), &pseudonym.clone().into())
    );
    let rider = seen("/api/v1/riders/5", &admin).await;
    assert_eq!(rider["email_address"], "rider5@example.org");

    let place = async |key: &str| {
        let board = seen("/api/v1/leaderboard", key).await;
        let mut places = board["items"].as_array().unwrap().clone().into_iter();
        places.find(|place| place["pseudonym"] == pseudonym.as_str()).unwrap()
    };
    assert_eq!(
        (&place(&viewer).await["rider_id"], &place(&viewer).await["name"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&place(&analyst).await["rider_id"], &place(&analyst).await["name"]),
        (&5.into(), &Value::Null)
    );
    assert_eq!(place(&admin).await["name"], "Rider5 Number5");

    let bike = seen("/api/v1/live", &viewer).await["items"][0].clone();
    for personal in ["rider_id", "name", "height_cm", "weight_kg"] {
        assert_eq!(bike[personal], Value::Null, "{personal}");
    }
    assert_eq!(bike["pseudonym"], context.store.pseudonyms().of(1));
    let bike = seen("/api/v1/live/SN0007", &analyst).await["riding"].clone();
    assert_eq!((&bike["rider_id"], &bike["name"]), (&1.into(), &Value::Null));
    let bike = seen("/api/v1/live/SN0007", &admin).await["riding"].clone();
    assert_eq!(bike["name"], "Ann Other");
}

#[tokio::test]
async fn what_everybody_needs_is_open_to_everybody() {
    let (client, ..) = locked();
    for path in [
        "/docs/",
        "/openapi.json",
        "/problems/unauthorized",
        "/static/app.css",
        "/healthz",
        "/readyz",
        "/login",
        "/unsubscribe/0f",
    ] {
        let status = client.get(path).send().await.status();
        assert!(
            status != StatusCode::UNAUTHORIZED && status != StatusCode::SEE_OTHER,
            "{path}: {status}"
        );
    }
}

#[tokio::test]
async fn a_browser_signs_in_with_its_key_and_out_again() {
    let (client, context, [viewer, ..], _folder) = locked();
    let page = client
        .get("/live?bike=SN%207")
        .header("accept", "text/html,*/*")
        .send()
        .await;
    assert_eq!(
        (page.status(), page.header("location")),
        (StatusCode::SEE_OTHER, Some("/login?next=%2Flive%3Fbike%3DSN%25207"))
    );
    let post = async |path: &str, body: String| {
        let request = client
            .request(Method::POST, path)
            .header("origin", "http://localhost:8080")
            .header("content-type", "application/x-www-form-urlencoded");
        client.server.get_response(request.request.body(body)).await
    };
    let wrong = post("/login", "key=deloton_0_0&next=/live".to_owned()).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(text(wrong).await.contains("the key is not known here"));
    let key = viewer.strip_prefix("Bearer ").unwrap();
    let signed_in = post("/login", format!("key={key}&next=/live")).await;
    assert_eq!(signed_in.header("location"), Some("/live"));
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(key),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let again = async |path: &str| client.get(path).header("cookie", &cookie).send().await;
    assert_eq!(again("/live").await.status(), StatusCode::OK);
    assert_eq!(
        again("/api/v1/live").await.status(),
        StatusCode::OK,
        "what the page's own script asks"
    );
    assert!(text(again("/login").await).await.contains("<strong>viewer</strong>"));
    let out = post("/logout", String::new()).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));

    context.store.revoke_api_key(&key["deloton_".len()..][..8]).unwrap();
    problem(again("/api/v1/live").await, 401, "unauthorized").await;
}

#[tokio::test]
async fn a_key_may_ask_so_often_a_minute_and_is_told_how_often_still() {
    let (client, _, [_, analyst, admin], _folder) = locked();
    for left in (0..5).rev() {
        let answer = with_key(&client, "/api/v1/riders/5", &analyst).await;
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""minute";q=5;w=60"#));
        assert!(
            answer
                .header("ratelimit")
                .unwrap()
                .starts_with(&format!(r#""minute";r={left};t="#))
        );
    }
    let refused = with_key(&client, "/api/v1/riders/5", &analyst).await;
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    problem(refused, 429, "too-many-requests").await;
    assert_eq!(
        with_key(&client, "/api/v1/riders/5", &admin).await.status(),
        StatusCode::OK,
        "each key for itself"
    );
}

#[tokio::test]
async fn a_key_that_has_ended_says_why_and_lets_nobody_in() {
    let (client, context, _, _folder) = locked();
    let soon = context.clock.now() - chrono::TimeDelta::seconds(1);
    let (_, expired) = context.store.new_api_key(Role::Admin, None, Some(soon)).unwrap();
    for (header, words) in [
        (format!("Bearer {expired}"), "expired"),
        (format!("Basic {expired}"), "Bearer KEY"),
        ("Bearer".to_owned(), "not known"),
    ] {
        let detail = problem(with_key(&client, "/api/v1/cities", &header).await, 401, "unauthorized").await;
        assert!(detail.contains(words) && !detail.contains(&expired), "{detail}");
    }
}

#[tokio::test]
async fn a_key_may_come_in_the_header_that_an_older_system_had() {
    let (client, _, [viewer, ..], _folder) = locked();
    let key = viewer.strip_prefix("Bearer ").unwrap();
    let asked = client.get("/leaderboard/").header("api-key", key).send().await;
    assert_eq!(asked.status(), StatusCode::OK);
    let one_letter = client.get("/leaderboard/").header("api-key", &key[..1]).send().await;
    problem(one_letter, 401, "unauthorized").await;
}

#[tokio::test]
async fn where_other_machines_reach_it_nobody_comes_in_without_a_key() {
    let (_, mut context, _folder) = server();
    let rules = Rules {
        listens_on_loopback: false,
        ..Rules::clone(&context.rules)
    };
    context.rules = Arc::new(rules);
    let client = TestClient::new(routes(context).unwrap()).host("10.1.2.3:8080");
    problem(client.get("/api/v1/cities").send().await, 401, "unauthorized").await;
    assert_eq!(
        client.get("/healthz").send().await.status(),
        StatusCode::OK,
        "by its address in figures"
    );
}

#[tokio::test]
async fn only_pages_of_the_origins_in_the_settings_may_call_from_elsewhere() {
    let (client, ..) = server();
    let asked = |origin: &str| {
        client
            .request(Method::OPTIONS, "/api/v1/rides")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .send()
    };
    let allowed = asked("https://tools.example").await;
    assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
    assert!(
        allowed
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    let answer = client
        .get("/api/v1/cities")
        .header("origin", "https://tools.example")
        .send()
        .await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://tools.example")
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        None,
        "cookies stay where they are"
    );
    assert!(
        asked("https://evil.example")
            .await
            .header("access-control-allow-origin")
            .is_none()
    );
    let other = client
        .get("/api/v1/cities")
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert!(other.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_ended_and_leaves_its_place_to_others() {
    let (_, mut context, _folder) = server();
    let patient = Arc::clone(&context.rules);
    context.rules = Arc::new(Rules {
        query_time: Duration::from_millis(50),
        ..Rules::clone(&patient)
    });
    let endless = |store: &Store| {
        let connection = store.connection()?;
        let sql = "select count(*) from range(100000000000) a, range(1000) b";
        let count = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        count.map_err(|error| StoreError::Inconsistent(error.to_string()))
    };
    let Err(Refusal::Unavailable(problem, wait)) = context.read(endless).await else {
        panic!("it has no answer");
    };
    assert_eq!((problem.kind.as_str(), wait), ("/problems/query-too-long", 10));
    for _ in 0..200 {
        if context.questions.available_permits() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        context.questions.available_permits(),
        2,
        "the statement itself was ended"
    );
    context.rules = patient;
    let quick = context
        .read(|store| store.status().map(|status| status.buffer_readings))
        .await;
    assert!(quick.is_ok(), "{quick:?}");
}

#[tokio::test]
async fn a_body_without_end_is_not_taken() {
    let (client, ..) = server();
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
    let request = client
        .request(Method::PUT, "/api/v1/riders/1/limits")
        .header("content-type", "application/json");
    let request = request.request.body(poem::Body::from_bytes_stream(endless));
    problem(client.server.get_response(request).await, 413, "payload-too-large").await;
}

#[tokio::test]
async fn what_an_administrator_erases_is_answered_for_gone_and_listed_with_who_asked() {
    let (client, context, [viewer, analyst, admin], _folder) = locked();
    let (_, other) = context.store.new_api_key(Role::Admin, None, None).unwrap();
    let other = format!("Bearer {other}");
    let asked = |method: Method, path: &str, key: &str| {
        let request = client.request(method, path).header("authorization", key);
        request.send()
    };
    let path = format!("/ride/{RIDE}");
    for key in [&viewer, &analyst] {
        problem(asked(Method::DELETE, &path, key).await, 403, "role-too-low").await;
    }
    assert_eq!(asked(Method::GET, &path, &analyst).await.status(), StatusCode::OK);
    let erased = json(asked(Method::DELETE, &path, &admin).await).await;
    assert_eq!(
        (&erased["ride_id"], &erased["erased"]["rides"]),
        (&RIDE.into(), &1.into())
    );
    assert!(erased["erased"]["readings"].as_i64() > Some(0), "{erased}");
    for method in [Method::GET, Method::DELETE] {
        problem(asked(method, &path, &admin).await, 404, "not-found").await;
    }
    let rider = json(asked(Method::DELETE, "/user/1", &admin).await).await;
    assert_eq!((&rider["rider_id"], &rider["ride_id"]), (&1.into(), &Value::Null));
    problem(asked(Method::GET, "/api/v1/riders/1", &admin).await, 404, "not-found").await;
    problem(
        asked(Method::GET, "/api/v1/erasures", &analyst).await,
        403,
        "role-too-low",
    )
    .await;
    let first = json(asked(Method::GET, "/api/v1/erasures?limit=1", &other).await).await;
    let (_, key_id) = admin.split_once("deloton_").unwrap();
    let (key_id, _) = key_id.split_once('_').unwrap();
    assert_eq!(
        (&first["items"][0]["rider_id"], &first["items"][0]["asked_by"]),
        (&1.into(), &key_id.into())
    );
    let next = format!("/api/v1/erasures?limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = json(asked(Method::GET, &next, &other).await).await;
    assert_eq!(
        (&second["items"][0]["ride_id"], &second["next"]),
        (&RIDE.into(), &Value::Null)
    );
}

#[tokio::test]
async fn what_a_key_opened_ends_with_the_key() {
    let (client, context, [viewer, ..], _folder) = locked();
    ride(&context.live, "SN7", 1);
    let opened = client.get("/live/events").header("authorization", &viewer).send().await;
    assert_eq!(opened.status(), StatusCode::OK);
    let mut events = opened.into_body().into_bytes_stream();
    let mut next = async || futures_util::StreamExt::next(&mut events).await.map(Result::unwrap);
    assert!(next().await.is_some() && next().await.is_some());
    let key_id = viewer.split('_').nth(1).unwrap();
    assert!(context.store.revoke_api_key(key_id).unwrap());
    let ended = async { while next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
}
