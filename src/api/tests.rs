//! The API as its callers see it.

mod access;
mod answers;
mod lists;
mod live;
mod operations;
mod rides;
mod site;
mod surface;
mod unsubscribe;
mod workouts;

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
