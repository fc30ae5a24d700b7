//! The API as its callers see it.

mod access;
mod surface;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use poem::{
    Endpoint, EndpointExt, Request, RequestBuilder, Response, Route,
    error::ResponseError,
    get, handler,
    http::{Method, StatusCode},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{ApiContext, Rules, openapi_document, problem::Problems, routes};
use crate::{
    clock::Clock,
    domain::{
        day::DayRule,
        heart_rate::{Limit, LimitSource, Limits, Standing},
        live::{LiveBoard, LiveRide, LiveSecond},
        rider::Gender,
        run::{AskedRun, JobOverview, JobsHandle, LogLine, NotStarted, OpenWindow},
        window::{Period, Window},
    },
    store::{mail_reader, query::fixture},
    template::Templates,
};

mod live;
mod rides;
mod workouts;

/// A client without a network: calls the server's endpoint. Poem's own would need a feature of Poem's that the shipped
/// program does not have, and so a second build of it.
struct TestClient<E> {
    server: E,
    host: Option<&'static str>,
}

impl<E: Endpoint> TestClient<E> {
    fn new(server: E) -> Self {
        TestClient { server, host: None }
    }

    fn host(self, host: &'static str) -> Self {
        TestClient {
            host: Some(host),
            ..self
        }
    }

    fn request(&self, method: Method, path: impl AsRef<str>) -> TestRequest<'_, E> {
        let mut request = Request::builder().method(method).uri_str(path.as_ref());
        if let Some(host) = self.host {
            request = request.header("host", host);
        }
        TestRequest {
            server: &self.server,
            request,
        }
    }

    fn get(&self, path: impl AsRef<str>) -> TestRequest<'_, E> {
        self.request(Method::GET, path)
    }
}

struct TestRequest<'a, E> {
    server: &'a E,
    request: RequestBuilder,
}

impl<E: Endpoint> TestRequest<'_, E> {
    fn header(self, name: &'static str, value: &str) -> Self {
        TestRequest {
            request: self.request.header(name, value),
            ..self
        }
    }

    fn body(self, body: &'static str) -> Request {
        self.request.body(body)
    }

    async fn send(self) -> Response {
        self.server.get_response(self.request.finish()).await
    }
}

struct Jobs;

impl JobsHandle for Jobs {
    fn overview(&self) -> Vec<JobOverview> {
        ["compact", "report", "publish"]
            .map(|name| JobOverview {
                name: name.to_owned(),
                kind: name,
                enabled: true,
                every: Some(Period::Day),
                next_run_at: (name == "compact").then(|| "2026-11-23T00:15:00Z".parse().unwrap()),
                ..JobOverview::default()
            })
            .to_vec()
    }

    fn open_windows(&self) -> Vec<OpenWindow> {
        let open = |job: &str, day: &str, stands: &str, is_late| OpenWindow {
            job: job.to_owned(),
            window: day.parse().unwrap(),
            stands: stands.to_owned(),
            is_late,
        };
        vec![
            open("compact", "2026-11-08", "due now", false),
            open("publish", "2026-11-08", "waits for report", true),
        ]
    }

    fn start(&self, job: &str, window: Option<Window>, _: bool) -> Result<AskedRun, NotStarted> {
        match (job, window) {
            ("compact", Some(Window::Instant(_))) => Err(NotStarted::Unsuited("`compact` makes days".to_owned())),
            ("compact", Some(Window::Day(day))) if day.to_string() == "2026-11-22" => {
                Err(NotStarted::Unsuited("2026-11-22 is not over yet".to_owned()))
            }
            ("compact", _) => Ok(AskedRun {
                run_id: Uuid::from_u128(7),
                job: job.to_owned(),
                window: window.unwrap_or(Window::Day("2026-11-21".parse().unwrap())),
                asked_at: fixture::NOW.parse().unwrap(),
                same_as: None,
                refused: None,
            }),
            _ => Err(NotStarted::NoSuchJob(format!("cron.toml has no job `{job}`"))),
        }
    }

    fn asked(&self, run_id: Uuid) -> Option<AskedRun> {
        (run_id == Uuid::from_u128(7)).then(|| self.start("compact", None, false).unwrap())
    }

    fn log_so_far(&self, _: Uuid) -> Option<Vec<LogLine>> {
        None
    }
}

/// A ride in the fixture that has readings.
const RIDE: &str = "01a20056-8580-7000-8000-000000000004";

fn context(folder: &TempDir, store: &crate::store::Store) -> ApiContext {
    ApiContext {
        store: store.clone(),
        clock: Clock::Fixed(fixture::NOW.parse().unwrap()),
        alert_rule: crate::domain::heart_rate::AlertRule::default(),
        day_rule: DayRule::default(),
        live: Arc::new(LiveBoard::new()),
        jobs: Arc::new(Jobs),
        templates: Arc::new(Templates::load(None).unwrap()),
        site_directory: Some(folder.path().join("site")),
        site_url: None,
        public_url: Some("https://bikes.example.org/".to_owned()),
        replay: {
            let store = store.clone();
            let (rules, zone) = (crate::ingest::sessionize::Rules::default(), chrono_tz::UTC);
            Arc::new(move |topic| crate::ingest::replay::replay(&store, &rules, zone, topic))
        },
        erase: {
            let store = store.clone();
            Arc::new(move |subject, asked_by| {
                Ok(store.erase(subject, asked_by, crate::domain::erasure::IfAbsent::Refuse)?)
            })
        },
        delete_workout: {
            let store = store.clone();
            Arc::new(move |workout_id| Ok(store.delete_workout(workout_id, false)?))
        },
        metrics: Arc::new(|| "deloton_readings_total 498\n# EOF\n".to_owned()),
        troubles: Arc::new(Vec::new),
        rules: Arc::new(Rules {
            listens_on_loopback: true,
            is_secure: false,
            cors_origins: Arc::new(["https://tools.example".to_owned()]),
            requests_per_minute: 5,
            query_time: Duration::from_secs(20),
        }),
        questions: Arc::new(Semaphore::new(2)),
    }
}

/// A client of a server on the fixture, what it stands on, and its folder's guard.
fn server() -> (TestClient<impl Endpoint>, ApiContext, TempDir) {
    let (folder, store) = fixture::store();
    let context = context(&folder, &store);
    let client = TestClient::new(routes(context.clone()).unwrap()).host("localhost:8080");
    (client, context, folder)
}

/// A bike's second, on the board.
fn ride(board: &LiveBoard, bike_serial: &str, second: i32) {
    let started_at = "2026-11-22T14:50:00Z".parse().unwrap();
    let limit = |bpm, source| Some(Limit { bpm, source });
    let ride = || LiveRide {
        bike_serial: bike_serial.to_owned(),
        ride_id: RIDE.parse().unwrap(),
        rider_id: Some(1),
        name: Some("Ann Other".to_owned()),
        age: Some(43),
        gender: Gender::Female,
        height_cm: Some(170),
        weight_kg: Some(70),
        started_at,
        limits: Limits {
            lower: limit(52, LimitSource::AgeAndGender),
            upper: limit(178, LimitSource::Rider),
        },
    };
    let now = LiveSecond {
        at: "2026-11-22T14:59:57Z".parse().unwrap(),
        second,
        heart_rate_bpm: Some(140),
        standing: Standing::Within,
        power_watts: Some(187.4),
        cadence_rpm: Some(80),
        resistance: Some(45),
        energy_kilojoules: 29.1,
        power_watts_max: Some(412.5),
    };
    board.update(bike_serial, RIDE.parse().unwrap(), now, false, ride);
}

async fn ok(client: &TestClient<impl Endpoint>, path: &str) -> Value {
    let response = client.get(path).send().await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    json(response).await
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

async fn text(response: Response) -> String {
    response.into_body().into_string().await.unwrap()
}

/// Asserts a problem of that status and kind, and gives its detail.
async fn problem(response: Response, status: u16, slug: &str) -> String {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.content_type(), Some("application/problem+json"));
    let problem = json(response).await;
    assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ride| ride["ride_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_ride_is_met_exactly_once_by_following_next() {
    let (client, ..) = server();
    for (limit, pages) in [(1000, 1), (250, 1), (83, 4), (125, 2)] {
        let mut seen = Vec::new();
        let mut path = format!("/api/v1/rides?limit={limit}");
        let mut turned = 0;
        loop {
            let page = ok(&client, &path).await;
            seen.extend(ids(&page));
            turned += 1;
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/rides?limit={limit}&cursor={next}");
        }
        assert_eq!((seen.len(), turned), (250, pages), "limit {limit}");
        assert!(
            seen.is_sorted_by(|newer, older| newer > older),
            "newest first, none twice"
        );
    }
}

#[tokio::test]
async fn rides_are_filtered_by_day_and_rider() {
    let (client, ..) = server();
    let day = ok(&client, "/api/v1/rides?day=2026-11-21&limit=1000").await;
    assert_eq!(day["items"].as_array().unwrap().len(), 100);
    assert!(
        day["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|ride| ride["business_day"] == "2026-11-21")
    );
    let both = ok(&client, "/api/v1/rides?day=21-11-2026&rider_id=5").await;
    let both = both["items"].as_array().unwrap();
    assert!(
        !both.is_empty()
            && both
                .iter()
                .all(|ride| ride["rider_id"] == 5 && ride["business_day"] == "2026-11-21")
    );
}

#[tokio::test]
async fn a_ride_is_numbers_times_in_utc_and_nulls() {
    let (client, ..) = server();
    let ride = ok(&client, &format!("/api/v1/rides/{RIDE}")).await;
    assert_eq!(ride["started_at"], "2026-11-21T23:00:00+00:00");
    assert_eq!(ride["duration_seconds"], 316);
    assert_eq!(ride["energy_kilojoules"], 220.5);
    assert_eq!(ride["heart_rate_bpm_mean"], Value::Null);
    let open = ok(&client, "/api/v1/rides?limit=1").await;
    assert_eq!(open["items"][0]["ended_at"], Value::Null);
    assert_eq!(open["items"][0]["business_day"], Value::Null);
}

#[tokio::test]
async fn readings_come_in_order_and_in_pages() {
    let (client, ..) = server();
    let path = format!("/api/v1/rides/{RIDE}/readings");
    let first = ok(&client, &format!("{path}?limit=200")).await;
    let second = ok(
        &client,
        &format!("{path}?limit=200&cursor={}", first["next"].as_str().unwrap()),
    )
    .await;
    let seconds: Vec<i64> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|reading| reading["second"].as_i64().unwrap())
        .collect();
    assert_eq!(seconds, (1..=300).collect::<Vec<_>>());
    assert_eq!(second["next"], Value::Null);
    assert_eq!(first["items"][59]["heart_rate_bpm"], Value::Null);
    assert_eq!(first["items"][59]["is_dropout"], true);
}

#[tokio::test]
async fn a_rider_has_an_age_and_totals() {
    let (client, ..) = server();
    let rider = ok(&client, "/api/v1/riders/5").await;
    assert_eq!(rider["forename"], "Rider5");
    assert_eq!(rider["age"], 41);
    assert_eq!(rider["gender"], "male");
    assert_eq!(rider["rides"], 21);
    assert_eq!(rider["heart_rate_bpm_mean"], 120.0);
    assert_eq!(rider["longest_ride_seconds"], 320);
    let rides = ok(&client, "/api/v1/riders/5/rides").await;
    assert_eq!(rides["items"].as_array().unwrap().len(), 21);
    let durations = ok(&client, "/api/v1/riders/5/durations?limit=2").await;
    assert_eq!(durations["items"][0]["duration_seconds"], 320);
    let next = durations["next"].as_str().unwrap();
    let more = ok(&client, &format!("/api/v1/riders/5/durations?limit=2&cursor={next}")).await;
    assert_eq!(more["items"][0]["duration_seconds"], 318);
}

#[tokio::test]
async fn a_day_is_today_or_the_one_named_either_way_and_may_be_empty() {
    let (client, ..) = server();
    let count = async |path: &str| ok(&client, path).await["items"].as_array().unwrap().len();
    assert_eq!(count("/api/v1/daily").await, 49);
    assert_eq!(count("/api/v1/daily?date=2026-11-20").await, 100);
    assert_eq!(count("/api/v1/daily?date=20-11-2026").await, 100);
    assert_eq!(count("/api/v1/daily?date=01-01-2020").await, 0);
    for date in ["2026-13-01", "31-02-2026", "today", "1-1-2020", "+10000-01-01", ""] {
        let response = client
            .get(format!("/api/v1/daily?date={}", date.replace('+', "%2B")))
            .send()
            .await;
        let is_form = ["2026-13-01", "31-02-2026"].contains(&date);
        let (status, slug) = if is_form {
            (422, "unsuitable")
        } else {
            (400, "bad-request")
        };
        let detail = problem(response, status, slug).await;
        assert!(detail.contains("`date`") && detail.contains("such as `"), "{detail}");
    }
}

#[tokio::test]
async fn equal_figures_share_a_rank_and_the_next_is_skipped() {
    let (client, ..) = server();
    let ranks = |board: &Value| -> Vec<(i64, i64, f64)> {
        let place = |place: &Value| {
            (
                place["rank"].as_i64().unwrap(),
                place["rider_id"].as_i64().unwrap(),
                place["value"].as_f64().unwrap(),
            )
        };
        board["items"].as_array().unwrap().iter().map(place).collect()
    };
    let board = ok(&client, "/api/v1/leaderboard?limit=12").await;
    let board = ranks(&board);
    assert!(
        board[..8].iter().all(|place| (place.0, place.2) == (1, 21.0)),
        "{board:?}"
    );
    assert_eq!(board[8].0, 9);
    let energy = ok(
        &client,
        "/api/v1/leaderboard?measure=energy&from=2026-11-20&to=2026-11-20&limit=1",
    )
    .await;
    assert_eq!(energy["items"][0]["unit"], "kilojoules");
    assert_eq!(
        ranks(&energy),
        [(
            1,
            4,
            9.0 * 20.5 + f64::from((0..9).map(|turn| 3 + 12 * turn).sum::<i32>())
        )]
    );
    for measure in [
        "duration",
        "longest_ride",
        "power_mean",
        "power_max",
        "heart_rate_mean",
        "heart_rate_max",
        "cadence_mean",
        "cadence_max",
    ] {
        assert!(
            !ranks(&ok(&client, &format!("/api/v1/leaderboard?measure={measure}")).await).is_empty(),
            "{measure}"
        );
    }
}

#[tokio::test]
async fn older_paths_answer_like_the_present_ones() {
    let (client, ..) = server();
    let ride = format!("/rides/{RIDE}");
    for (older, present) in [
        (format!("/ride/{RIDE}").as_str(), ride.as_str()),
        (&ride, &ride),
        ("/rides?limit=3", "/rides?limit=3"),
        ("/rider/5", "/riders/5"),
        ("/rider/5/rides", "/riders/5/rides"),
        ("/rider/5/duration", "/riders/5/durations"),
        ("/user/5", "/riders/5"),
        ("/user/5/rides?limit=2", "/riders/5/rides?limit=2"),
        ("/daily?date=20-11-2026", "/daily?date=2026-11-20"),
        ("/leaderboard", "/leaderboard"),
        ("/city/New%20Leeds", "/cities/New%20Leeds/rides"),
        ("/city/new%20leeds", "/cities/New%20Leeds/rides"),
    ] {
        let expected = ok(&client, &format!("/api/v1{present}")).await;
        assert_ne!(expected["items"], Value::Array(vec![]), "{present} shows nothing");
        assert_eq!(ok(&client, older).await, expected, "{older}");
        let slashed = match older.split_once('?') {
            Some((path, query)) => format!("{path}/?{query}"),
            None => format!("{older}/"),
        };
        assert_eq!(ok(&client, &slashed).await, expected, "{slashed}");
    }
}

#[tokio::test]
async fn reports_cities_and_status_say_what_the_store_has() {
    let (client, _, folder) = server();
    let day = folder.path().join("site/daily/2026-11-21");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("index.html"), "<h1>21 November</h1>").unwrap();
    std::fs::write(day.join("report.pdf"), "%PDF").unwrap();
    let reports = ok(&client, "/api/v1/reports?limit=1").await;
    assert_eq!(reports["items"][0]["day"], "2026-11-21");
    assert_eq!(
        reports["items"][0]["links"][0]["href"],
        "/reports/daily/2026-11-21/index.html"
    );
    assert_eq!(reports["items"][0]["links"][1]["format"], "pdf");
    let older = ok(
        &client,
        &format!("/api/v1/reports?cursor={}", reports["next"].as_str().unwrap()),
    )
    .await;
    assert_eq!(older["items"][0]["day"], "2026-11-20");
    assert_eq!(older["next"], Value::Null);

    let cities = ok(&client, "/api/v1/cities").await;
    assert_eq!(cities["items"][0]["name"], "York");
    assert_eq!(cities["items"][0]["riders"], 8);

    let status = ok(&client, "/api/v1/status").await;
    assert_eq!(status["buffer_rides"], 50);
    assert_eq!(status["open_rides"], 1);
    assert_eq!(status["last_sealed_day"], "2026-11-21");
    assert_eq!(status["mails_waiting"], 1);
    assert_eq!(status["rejected_lines"], 1);
    assert_eq!(status["newest_reading_at"], "2026-11-22T14:59:58+00:00");
}

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
    for kind in super::problem::KINDS {
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
    let committed = include_str!("../../openapi/openapi.json");
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

#[tokio::test]
async fn a_reader_unsubscribes_by_their_own_link_from_anywhere_and_takes_it_back() {
    let (client, context, _folder) = server();
    let connection = context.store.connection().unwrap();
    let token = mail_reader::token(&connection, "ceo@x.example").unwrap();
    let is_unsubscribed = || mail_reader::is_unsubscribed(&connection, "ceo@x.example").unwrap();
    let path = format!("/unsubscribe/{token}");
    // Whoever looks through mails opens every link in them.
    for method in [Method::GET, Method::HEAD] {
        let asked = client.request(method, &path).send().await;
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(!is_unsubscribed());
    }
    let page = text(client.get(&path).send().await).await;
    assert!(
        page.contains(&format!(r#"<form method="post" action="{path}">"#)),
        "{page}"
    );
    assert!(
        !page.contains("ceo@") && !page.contains("/outbox"),
        "nothing of the address, nor of the other pages: {page}"
    );
    // As a mail provider does it (RFC 8058).
    let one_click = client
        .request(Method::POST, &path)
        .header("origin", "https://mail.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("List-Unsubscribe=One-Click");
    let done = client.server.get_response(one_click).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert!(is_unsubscribed());
    let page = text(done).await;
    let undo = format!("/resubscribe/{token}");
    assert!(page.contains("You are unsubscribed") && page.contains(&undo), "{page}");
    let seen = text(client.get(&path).send().await).await;
    assert!(seen.contains("You are unsubscribed"), "{seen}");
    let undone = client
        .request(Method::POST, &undo)
        .header("origin", "null")
        .send()
        .await;
    assert!(text(undone).await.contains("You get notices again"));
    assert!(!is_unsubscribed());
}

#[tokio::test]
async fn an_unsubscribe_link_that_is_not_known_changes_nothing_and_says_what_to_do() {
    let (client, context, _folder) = server();
    let connection = context.store.connection().unwrap();
    mail_reader::token(&connection, "ceo@x.example").unwrap();
    for (method, path) in [
        (Method::GET, "/unsubscribe/00000000000000000000000000000000"),
        (Method::POST, "/unsubscribe/00000000000000000000000000000000"),
        (Method::POST, "/unsubscribe/ceo@x.example"),
        (Method::POST, "/resubscribe/%27"),
    ] {
        let answer = client.request(method, path).send().await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(text(answer).await.contains("This link is not known"), "{path}");
    }
    assert!(mail_reader::unsubscribed(&connection).unwrap().is_empty());
    let elsewhere = client.get("/resubscribe/00000000000000000000000000000000").send().await;
    assert_eq!(elsewhere.status(), StatusCode::METHOD_NOT_ALLOWED);
}
