//! A Peloton of our own, which answers as the real one was recorded to; whose workouts are made up.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::{
    clock::Clock,
    config::schedule::TokenFrom,
    domain::workout::Progress,
    export::Files,
    store::fixture::{NOW, at, number, open, rows},
};

#[path = "peloton_trouble_tests.rs"]
mod trouble;

/// What goes wrong with one answer.
#[derive(Clone)]
enum Fault {
    Status(u16, Option<u64>),
    /// The connection ends in the middle of the body.
    Cut,
    /// A workout is made before the answer is.
    Uploaded(Value),
}

/// What the server knows.
#[derive(Default)]
struct State {
    /// Newest first.
    workouts: Vec<Value>,
    /// Workouts that are there and not listed.
    hidden: Vec<Value>,
    /// One that the list counts and has not.
    left_out: Option<&'static str>,
    /// The courses that are not as all the others are; null where there is none.
    courses: HashMap<&'static str, Value>,
    /// The only token that is good, where it matters.
    token: Option<String>,
    user_id: String,
    /// Paths that have such a text in them are answered with such a status as long as they are here.
    broken: Vec<(&'static str, u16)>,
    /// For the next requests whose path contains the text, one after the other.
    faults: VecDeque<(&'static str, Fault)>,
    requests: Vec<(Instant, String)>,
}

struct Peloton {
    url: String,
    state: Arc<Mutex<State>>,
}

/// A page of the list.
const PAGE: usize = 3;

impl Peloton {
    fn new(workouts: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            workouts,
            user_id: "u1".to_owned(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &shared);
            }
        });
        Peloton { url, state }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// The paths that were asked for since the last look.
    fn asked(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().unwrap().requests);
        requests.into_iter().map(|(_, path)| path).collect()
    }

    /// Reads the accounts.
    fn run(&self, store: &Store, accounts: &[PelotonAccount]) -> Result<JobStatus> {
        self.run_at(store, accounts, Duration::ZERO)
    }

    fn run_at(&self, store: &Store, accounts: &[PelotonAccount], between: Duration) -> Result<JobStatus> {
        let runtime = Runtime::new().unwrap();
        let again = Duration::from_millis(10);
        let api = Api {
            url: &self.url,
            pace: Pace { between, again },
            runtime: runtime.handle(),
            cancel: &Cancel::default(),
        };
        let exporter = Exporter {
            files: Files::Directory(store.data_dir().join("exports")),
            topic: None,
            webhook: None,
        };
        run(store, &exporter, accounts, Tz::UTC, api)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut header, mut bearer) = (String::new(), String::new(), None);
    reader.read_line(&mut line).unwrap();
    while reader.read_line(&mut header).unwrap() > 2 {
        if let Some(token) = header.strip_prefix("authorization: Bearer ") {
            bearer = Some(token.trim().to_owned());
        }
        header.clear();
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut state = state.lock().unwrap();
    state.requests.push((Instant::now(), path.clone()));
    let is_next = state.faults.front().is_some_and(|(part, _)| path.contains(part));
    let fault = if is_next {
        state.faults.pop_front().map(|(_, fault)| fault)
    } else {
        None
    };
    if let Some(Fault::Uploaded(workout)) = &fault {
        state.workouts.insert(0, workout.clone());
    }
    let broken = state.broken.iter().find(|(part, _)| path.contains(part));
    let broken = broken.map(|(_, status)| *status);
    let (mut status, body) = if let Some(status) = broken {
        (status, json!({}))
    } else if path == "/oauth/token" {
        state.token = Some("renewed".to_owned());
        (
            200,
            json!({"access_token": "renewed", "refresh_token": "next", "expires_in": 172_800}),
        )
    } else if state.token.is_some() && state.token != bearer {
        (401, json!({}))
    } else {
        page(&state, &path)
    };
    let mut more = String::new();
    if let Some(Fault::Status(other, retry_after)) = fault {
        status = other;
        more = retry_after
            .map(|seconds| format!("retry-after: {seconds}\r\n"))
            .unwrap_or_default();
    }
    let body = body.to_string();
    let sent = if matches!(fault, Some(Fault::Cut)) {
        &body[..body.len() / 2]
    } else {
        &body
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n{sent}",
        body.len()
    )
    .unwrap();
}

/// What there is at a path.
fn page(state: &State, path: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let find = |id: &str| {
        state
            .workouts
            .iter()
            .chain(&state.hidden)
            .find(|workout| workout["id"] == id)
    };
    match words.as_slice() {
        ["api", "me"] => (200, json!({"id": state.user_id, "username": "someone"})),
        ["api", "user", _, "workouts"] => {
            let number: usize = query
                .split('&')
                .find_map(|part| part.strip_prefix("page="))
                .unwrap()
                .parse()
                .unwrap();
            let all = &state.workouts;
            let is_listed = |workout: &&Value| workout["id"].as_str().is_none_or(|id| Some(id) != state.left_out);
            let items = all.iter().skip(number * PAGE).take(PAGE).filter(is_listed);
            let items: Vec<&Value> = items.collect();
            let count = all.len().div_ceil(PAGE);
            let show_next = number + 1 < count;
            (
                200,
                json!({"data": items, "page": number, "limit": PAGE, "page_count": count, "total": all.len(),
                       "show_next": show_next, "sort_by": "-created"}),
            )
        }
        ["api", "instructor"] => (
            200,
            json!({"data": [{"id": "c0ffee00c0ffee00c0ffee00c0ffee00", "name": "Ida Quist"}], "page_count": 1}),
        ),
        ["api", "workout", id, "performance_graph"] => match find(id).map(|_| state.courses.get(*id)) {
            Some(Some(Value::Null)) => (404, json!({})),
            Some(Some(course)) => (200, course.clone()),
            Some(None) => (
                200,
                json!({"duration": 20, "seconds_since_pedaling_start": [1, 6, 16],
                "average_summaries": [{"slug": "avg_output", "display_unit": "watts", "value": 120}],
                "summaries": [], "metrics": [
                    {"slug": "output", "display_unit": "watts", "values": [110, 120, 130], "average_value": 120},
                ]}),
            ),
            None => (404, json!({})),
        },
        ["api", "workout", id] => match find(id) {
            Some(workout) => {
                let mut workout = workout.clone();
                workout["leaderboard_rank"] = json!(7);
                workout["total_leaderboard_users"] = json!(90);
                (200, workout)
            }
            None => (404, json!({})),
        },
        _ => (404, json!({})),
    }
}

/// A class that began so many hours before the present.
fn class(id: &str, hours_ago: i64) -> Value {
    let start = at(NOW).timestamp() - hours_ago * 3600;
    json!({
        "id": id, "status": "COMPLETE", "created_at": start - 4, "start_time": start, "end_time": start + 1800,
        "timezone": "Etc/GMT+5", "fitness_discipline": "cycling", "workout_type": "class", "name": "Cycling Workout",
        "title": null, "total_work": 250_400.5, "has_pedaling_metrics": true, "is_total_work_personal_record": false,
        "effort_zones": {"total_effort_points": 40.5},
        "ride": {"title": format!("30 min {id}"), "duration": 1800, "instructor_id": "c0ffee00c0ffee00c0ffee00c0ffee00", "instructor": null},
    })
}

/// So many classes, a day between them, the newest an hour old.
fn classes(count: i64) -> Vec<Value> {
    (0..count)
        .map(|number| class(&format!("w{number}"), 1 + number * 24))
        .collect()
}

/// A token that ends then.
fn jwt(expires_at: DateTime<chrono::Utc>) -> String {
    let claims = json!({"exp": expires_at.timestamp()}).to_string();
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims))
}

fn token_file(folder: &tempfile::TempDir, name: &str, content: &Value) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

fn account(rider_name: &str, path: &Path) -> PelotonAccount {
    PelotonAccount {
        rider_name: rider_name.to_owned(),
        token: TokenFrom::File(path.to_owned()),
    }
}

/// A store, and one account with a token that is good.
fn ann() -> (tempfile::TempDir, Store, [PelotonAccount; 1]) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let path = token_file(&folder, "ann.json", &json!({"access_token": "ann"}));
    (folder, store, [account("Ann", &path)])
}

fn workouts(store: &Store) -> i64 {
    number(store, "select count(*) from historical.workout")
}

fn everything(store: &Store) -> Vec<String> {
    [
        "historical.workout",
        "historical.workout_sample",
        "ops.peloton_account",
        "ops.deleted_workout",
    ]
    .iter()
    .flat_map(|table| rows(store, &format!("from {table} order by all")))
    .collect()
}

/// What a run answers that did something.
fn counts(new: u64, changed: u64, deleted: u64, files: u64) -> JobStatus {
    JobStatus::done()
        .count("workouts_new", new)
        .count("workouts_changed", changed)
        .count("workouts_deleted", deleted)
        .count("files_written", files)
}

#[test]
fn a_first_run_fetches_everything_and_a_second_one_finds_nothing() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(20));
    let status = peloton.run(&store, &accounts).unwrap();
    assert_eq!(status, counts(20, 0, 0, 8));
    let asked = peloton.asked();
    assert_eq!(
        asked.iter().filter(|path| path.contains("/workouts?")).count(),
        7,
        "{asked:?}"
    );
    assert_eq!(asked.iter().filter(|path| path.contains("/api/instructor")).count(), 1);
    let first = "select title, instructor, source, started_local, leaderboard_rank as rank, power_watts_mean as watts,
        graph_coverage as coverage, effort_points as effort from historical.workout order by started_at limit 1";
    assert_eq!(
        rows(&store, first),
        [
            r#"{"title":"30 min w19","instructor":"Ida Quist","source":"api","started_local":"2025-12-22 06:00:00","rank":7,"watts":120.0,"coverage":0.75,"effort":40.5}"#
        ]
    );
    assert_eq!(number(&store, "select count(*) from historical.workout_sample"), 60);
    let before = everything(&store);
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
    assert_eq!(everything(&store), before, "nothing new, nothing written");
    let asked = peloton.asked();
    // Nine of them began in the last week and the day before; the third page has two of these, the fourth none.
    assert_eq!(
        asked.iter().filter(|path| path.contains("/workouts?")).count(),
        4,
        "{asked:?}"
    );
    assert_eq!(
        asked.iter().filter(|path| path.contains("/api/workout/")).count(),
        2,
        "details and course, only of the youngest: {asked:?}"
    );
}

#[test]
fn what_is_uploaded_late_corrected_or_finished_since_comes_in() {
    let (_folder, store, accounts) = ann();
    let mut running = class("running", 0);
    running["status"] = json!("IN_PROGRESS");
    let mut all = classes(12);
    all.insert(0, running);
    let peloton = Peloton::new(all);
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 12);
    peloton.change(|state| {
        state.workouts[0]["status"] = json!("COMPLETE");
        state.workouts[3]["ride"]["title"] = json!("30 min corrected");
        state.workouts.insert(6, class("late", 24 * 5 + 7));
    });
    let status = peloton.run(&store, &accounts).unwrap();
    assert_eq!(status, counts(2, 1, 0, 3));
    assert_eq!(
        number(
            &store,
            "select count(*) from historical.workout where title = '30 min corrected'"
        ),
        1
    );
}

#[test]
fn a_start_in_the_future_keeps_nothing_that_comes_later_from_being_seen() {
    let (_folder, store, accounts) = ann();
    let mut all = classes(12);
    all.insert(0, class("ahead", -500));
    let peloton = Peloton::new(all);
    peloton.run(&store, &accounts).unwrap();
    let read_to = || store.peloton_progress("Ann").unwrap().unwrap();
    assert_eq!(
        (workouts(&store), read_to().watermark),
        (12, at(NOW) - chrono::TimeDelta::hours(1))
    );
    // As one was stored before by a clock that was wrong.
    let ahead = Progress {
        watermark: at(NOW) + chrono::TimeDelta::days(400),
        ..read_to()
    };
    store.set_peloton_progress("Ann", &ahead).unwrap();
    peloton.change(|state| state.workouts.insert(8, class("late", 24 * 6 + 7)));
    assert_eq!(peloton.run(&store, &accounts).unwrap(), counts(1, 0, 0, 1));
    assert_eq!(read_to().watermark, at(NOW) - chrono::TimeDelta::hours(1));
}

#[test]
fn a_course_is_fetched_until_nothing_more_of_it_comes_in() {
    let (folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(3));
    let course = |watts: [i32; 2]| {
        json!({"duration": 10, "seconds_since_pedaling_start": [1, 6], "metrics": [
            {"slug": "output", "display_unit": "watts", "values": watts}]})
    };
    // One that is not there yet, one that cannot be read, and one that has none for good.
    peloton.change(|state| {
        state.courses = [("w0", Value::Null), ("w1", json!({"metrics": 5})), ("w2", Value::Null)].into();
    });
    peloton.run(&store, &accounts).unwrap();
    let courses = "select title, graph_coverage as coverage, count(second) as steps, max(power_watts) as watts
        from historical.workout left join historical.workout_sample using (workout_id) group by all order by title";
    let row = |title: &str, coverage: &str, steps: i32, watts: &str| {
        format!(r#"{{"title":"30 min {title}","coverage":{coverage},"steps":{steps},"watts":{watts}}}"#)
    };
    let none_of = |title, coverage| row(title, coverage, 0, "null");
    assert_eq!(
        rows(&store, courses),
        [none_of("w0", "null"), none_of("w1", "null"), none_of("w2", "0.0")]
    );
    // The youngest has one, and then another that comes to the same figures.
    for watts in [[100, 120], [100, 140]] {
        peloton.change(|state| state.courses = [("w0", course(watts)), ("w1", course(watts))].into());
        peloton.run(&store, &accounts).unwrap();
        assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
        assert_eq!(
            rows(&store, courses)[0],
            row("w0", "null", 2, &format!("{}.0", watts[1]))
        );
    }
    assert_eq!(rows(&store, courses)[1], row("w1", "1.0", 2, "120.0"), "that was final");
    drop(store);
    let tomorrow = Clock::Fixed(at(NOW) + chrono::TimeDelta::days(1));
    let store = Store::open(folder.path(), tomorrow).unwrap();
    for _ in 0..2 {
        peloton.asked();
        peloton.run(&store, &accounts).unwrap();
        assert_eq!(rows(&store, courses)[0], row("w0", "1.0", 2, "140.0"));
    }
    let asked = peloton.asked();
    assert!(asked.iter().all(|path| !path.contains("/api/workout/")), "{asked:?}");
}

#[test]
fn a_busy_or_broken_service_is_asked_again_as_it_wishes() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(4));
    peloton.change(|state| {
        state.faults = [
            ("/api/me", Fault::Status(429, Some(1))),
            ("/workouts?", Fault::Status(500, None)),
            ("/workouts?", Fault::Cut),
            ("performance_graph", Fault::Status(503, None)),
            ("page=1", Fault::Cut),
        ]
        .into();
    });
    let began = Instant::now();
    peloton.run(&store, &accounts).unwrap();
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "it was asked to wait for a second"
    );
    assert_eq!(workouts(&store), 4);
    assert!(peloton.state.lock().unwrap().faults.is_empty());
    // One that does not recover fails the run; what was fetched before is kept, and the next run goes on.
    peloton.change(|state| {
        state.workouts.insert(0, class("w-1", 0));
        state.faults = (0..4).map(|_| ("page=1", Fault::Status(502, None))).collect();
    });
    let failed = format!("{:#}", peloton.run(&store, &accounts).unwrap_err());
    assert!(
        failed.contains("account 1") && failed.contains("status 502"),
        "{failed}"
    );
    assert_eq!(workouts(&store), 5);
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
    // One that wants a pause of hours is left alone.
    peloton.change(|state| state.faults = [("/api/me", Fault::Status(429, Some(7200)))].into());
    assert!(peloton.run(&store, &accounts).is_err());
    assert_eq!(peloton.asked().last().map(String::as_str), Some("/api/me"));
}

#[test]
fn names_that_are_not_answered_hold_up_no_workout_and_are_learned_later() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(4));
    let taught = |name: &str| {
        let of = format!("select count(*) from historical.workout where instructor = '{name}'");
        number(&store, &of)
    };
    let broken = vec![("/api/instructor", 500)];
    peloton.change(|state| state.broken.clone_from(&broken));
    let failed = format!("{:#}", peloton.run(&store, &accounts).unwrap_err());
    assert!(failed.contains("the names of instructors"), "{failed}");
    assert_eq!((workouts(&store), taught("c0ffee00c0ffee00c0ffee00c0ffee00")), (4, 4));
    let tries = peloton
        .asked()
        .iter()
        .filter(|path| path.contains("/api/instructor"))
        .count();
    peloton.run(&store, &accounts).unwrap_err();
    let tries_again = peloton
        .asked()
        .iter()
        .filter(|path| path.contains("/api/instructor"))
        .count();
    assert_eq!(tries, tries_again, "once a run, however many classes need a name");
    peloton.change(|state| state.broken.clear());
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(taught("Ida Quist"), 4);
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
    // Known names stay while they are not answered.
    peloton.change(|state| {
        state.broken = broken;
        state.workouts.insert(0, class("w-1", 0));
    });
    peloton.run(&store, &accounts).unwrap_err();
    assert_eq!(
        (taught("Ida Quist"), taught("c0ffee00c0ffee00c0ffee00c0ffee00")),
        (4, 1)
    );
}

#[test]
fn a_list_that_grows_while_it_is_read_loses_and_doubles_nothing() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(7));
    peloton.change(|state| state.faults = [("page=1", Fault::Uploaded(class("w-1", 0)))].into());
    peloton.run(&store, &accounts).unwrap();
    assert_eq!(workouts(&store), 8);
    assert_eq!(
        number(
            &store,
            "select count(distinct peloton_workout_id) from historical.workout"
        ),
        8
    );
}

#[test]
fn what_was_deleted_at_peloton_or_here_stays_deleted() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(6));
    peloton.run(&store, &accounts).unwrap();
    let here = store.known_workouts("Ann").unwrap()["w2"].workout_id;
    assert!(store.delete_workout(here, false).unwrap());
    peloton.change(|state| {
        state.workouts.remove(1);
        // Not listed for once, and still there.
        let hidden = state.workouts.remove(2);
        state.hidden.push(hidden);
    });
    let status = peloton.run(&store, &accounts).unwrap();
    assert_eq!(status.counts["workouts_deleted"], 1);
    let kept = "select peloton_workout_id as id from historical.workout order by id";
    assert_eq!(
        rows(&store, kept),
        ["w0", "w3", "w4", "w5"].map(|id| format!(r#"{{"id":"{id}"}}"#))
    );
    peloton.change(|state| state.workouts.insert(1, class("w1", 25)));
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
    assert_eq!(workouts(&store), 4);
}

#[test]
fn a_token_that_has_ended_is_told_in_words_and_holds_up_no_other_account() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let peloton = Peloton::new(classes(1));
    let ended = jwt(at(NOW) - chrono::TimeDelta::hours(3));
    let anns = token_file(&folder, "ann.json", &json!({"access_token": ended}));
    let good = jwt(at(NOW) + chrono::TimeDelta::hours(3));
    let bens = token_file(&folder, "ben.json", &json!({"access_token": good}));
    let accounts = [account("Ben", &bens), account("Ann", &anns)];
    let failed = format!("{:#}", peloton.run(&store, &accounts).unwrap_err());
    assert!(
        failed.contains("account 2") && failed.contains("the token expired on 2026-01-10 09:00 UTC"),
        "{failed}"
    );
    assert!(
        failed.contains("members.onepeloton.com") && failed.contains("cron.toml"),
        "{failed}"
    );
    assert!(!failed.contains(&ended) && !failed.contains("account 1"), "{failed}");
    assert!(
        !failed.contains("Ann") && !failed.contains("ann.json"),
        "runs are mailed to people who need not know who rides: {failed}"
    );
    assert_eq!(
        rows(&store, "select rider_name from historical.workout"),
        [r#"{"rider_name":"Ben"}"#]
    );
    // Refused although it says that it is good.
    peloton.change(|state| state.token = Some("other".to_owned()));
    let failed = format!("{:#}", peloton.run(&store, &accounts[..1]).unwrap_err());
    assert!(failed.contains("refuses the token (401)"), "{failed}");
    assert!(!failed.contains(&good) && !failed.contains("ben.json"), "{failed}");
}

#[test]
fn a_token_with_a_refresh_token_beside_it_is_renewed_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let peloton = Peloton::new(classes(1));
    peloton.change(|state| state.token = Some("another".to_owned()));
    let token = json!({
        "access_token": "old", "refresh_token": "first", "client_id": "c", "note": "kept",
        "token_url": format!("{}/oauth/token", peloton.url),
    });
    let path = token_file(&folder, "ann.json", &token);
    peloton.run(&store, &[account("Ann", &path)]).unwrap();
    assert_eq!(workouts(&store), 1);
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        (&kept["access_token"], &kept["refresh_token"], &kept["note"]),
        (&json!("renewed"), &json!("next"), &json!("kept"))
    );
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
        0o600
    );
    assert_eq!(
        peloton.run(&store, &[account("Ann", &path)]).unwrap(),
        JobStatus::idle()
    );
    assert_eq!(peloton.asked().iter().filter(|path| *path == "/oauth/token").count(), 1);
}

#[test]
fn a_token_of_somebody_else_fills_nobodys_history() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(1));
    peloton.run(&store, &accounts).unwrap();
    peloton.change(|state| {
        state.user_id = "u2".to_owned();
        state.workouts = vec![class("theirs", 3)];
    });
    let failed = format!("{:#}", peloton.run(&store, &accounts).unwrap_err());
    assert!(failed.contains("another account"), "{failed}");
    assert_eq!(
        rows(&store, "select peloton_workout_id as id from historical.workout"),
        [r#"{"id":"w0"}"#]
    );
}

#[test]
fn what_is_stored_as_another_riders_stays_theirs_and_is_not_asked_for() {
    let (folder, store, anns) = ann();
    let peloton = Peloton::new(classes(12));
    peloton.run(&store, &anns).unwrap();
    let bens = [account(
        "Ben",
        &token_file(&folder, "ben.json", &json!({"access_token": "ben"})),
    )];
    peloton.asked();
    peloton.change(|state| state.workouts.insert(0, class("his", 0)));
    assert_eq!(peloton.run(&store, &bens).unwrap(), counts(1, 0, 0, 1));
    let of_riders =
        "select rider_name as rider, count(*) as workouts from historical.workout group by all order by all";
    assert_eq!(
        rows(&store, of_riders),
        [r#"{"rider":"Ann","workouts":12}"#, r#"{"rider":"Ben","workouts":1}"#]
    );
    let asked = peloton.asked();
    let of_workouts = asked.iter().filter(|path| path.contains("/api/workout/"));
    assert!(
        of_workouts.clone().count() == 2 && of_workouts.clone().all(|path| path.contains("/his")),
        "{asked:?}"
    );
}

#[test]
fn it_is_asked_no_more_often_than_agreed() {
    let (folder, store, [ann]) = ann();
    let ben = account("Ben", &token_file(&folder, "ben.json", &json!({"access_token": "ben"})));
    let peloton = Peloton::new(classes(1));
    let between = Duration::from_millis(120);
    peloton.run_at(&store, &[ann, ben], between).unwrap();
    let requests = std::mem::take(&mut peloton.state.lock().unwrap().requests);
    assert_eq!(
        requests.len(),
        7,
        "of each whose and a page, and of what is one's the details, the instructors, the course"
    );
    for pair in requests.windows(2) {
        let apart = pair[1].0 - pair[0].0;
        assert!(
            apart >= between - Duration::from_millis(20),
            "{apart:?} before {}",
            pair[1].1
        );
    }
}

#[test]
fn without_an_account_nothing_is_asked() {
    let (_folder, store, _) = ann();
    let peloton = Peloton::new(classes(2));
    assert_eq!(peloton.run(&store, &[]).unwrap(), JobStatus::idle());
    assert!(peloton.asked().is_empty());
}

#[test]
fn the_daily_files_are_those_of_the_older_system_but_for_what_is_no_game() {
    let (_folder, store, accounts) = ann();
    let mut all = classes(12);
    for (workout, name) in all
        .iter_mut()
        .zip(["LANEBREAK", "JUST RIDE", "TIME GOAL", "ENTERTAINMENT"])
    {
        workout["workout_type"] = json!("freestyle");
        workout["start_time"] = json!(at(NOW).timestamp() - 3600);
        workout["total_work"] = json!(90_000.5);
        workout["ride"] =
            json!({"title": format!("15 min, \"{name}\""), "duration": 901, "instructor": {"name": name}});
    }
    let peloton = Peloton::new(all);
    peloton.run(&store, &accounts).unwrap();
    let exports = store.data_dir().join("exports");
    let today = exports.join("2026/01/daily_upload2026_01_10.csv");
    let file = std::fs::read_to_string(&today).unwrap();
    let line = |id: &str, name: &str, class_type: &str| {
        format!("{id},2026-01-10 11:00:00,\"15 min, \"\"{name}\"\"\",no instructor,{class_type},15,90.0,Ann")
    };
    let mut lines: Vec<&str> = file.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "workout_id,date,class_title,instructor,class_type,length_min,total_output_kj,rider_name".to_owned(),
            line("w0", "LANEBREAK", "lanebreak"),
            line("w1", "JUST RIDE", "just_ride"),
            line("w2", "TIME GOAL", "time_goal"),
            line("w3", "ENTERTAINMENT", "entertainment"),
        ]
    );
    let other = std::fs::read_to_string(exports.join("2026/01/daily_upload2026_01_06.csv")).unwrap();
    assert_eq!(
        other.lines().nth(1).unwrap(),
        "w4,2026-01-06 11:00:00,30 min w4,Ida Quist,cycling,30,250.4,Ann"
    );
    assert!(
        !exports.join("2026/01/daily_upload2026_01_01.csv").exists(),
        "that was no news on the first run"
    );
    // Nothing new, no file; what is deleted here leaves its file.
    std::fs::remove_file(&today).unwrap();
    assert_eq!(peloton.run(&store, &accounts).unwrap(), JobStatus::idle());
    assert!(!today.exists());
    let known = store.known_workouts("Ann").unwrap();
    store.delete_workout(known["w4"].workout_id, false).unwrap();
    assert_eq!(peloton.run(&store, &accounts).unwrap(), counts(0, 0, 0, 1));
    assert!(!exports.join("2026/01/daily_upload2026_01_06.csv").exists());
}

#[test]
fn a_daily_file_that_could_not_be_written_is_written_later() {
    let (_folder, store, accounts) = ann();
    let peloton = Peloton::new(classes(1));
    let exports = store.data_dir().join("exports");
    std::fs::write(&exports, "in the way").unwrap();
    let failed = format!("{:#}", peloton.run(&store, &accounts).unwrap_err());
    assert!(failed.contains("daily_upload2026_01_10.csv"), "{failed}");
    assert_eq!(workouts(&store), 1);
    std::fs::remove_file(&exports).unwrap();
    assert_eq!(peloton.run(&store, &accounts).unwrap(), counts(0, 0, 0, 1));
    assert!(exports.join("2026/01/daily_upload2026_01_10.csv").exists());
}
