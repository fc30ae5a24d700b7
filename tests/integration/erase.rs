//! Erasing a rider from the real program: nothing is left, nobody is mailed, and no moment to be killed in leaves it undone.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::program::{self, DAYS, Sandbox, files_below, get, sample, wait_for};

/// The sample's busiest rider.
const RIDER: i64 = 102;
const READER: &str = "ceo@deloton.example";

/// A schedule that mails every restatement.
fn schedule(sandbox: &Sandbox) -> String {
    let shipped = fs::read_to_string("cron.toml").unwrap();
    let notify = "kind = \"notify\"\n";
    assert!(shipped.contains(notify));
    let eager = shipped.replace(notify, "kind = \"notify\"\nparams = { restate_percent = 0 }\n");
    sandbox.write("cron.toml", eager)
}

/// The sample, published, exported and mailed.
fn reported(sandbox: &Sandbox) {
    sandbox.succeed(&["consume", "--from-file", &sample().to_string_lossy()]);
    for day in DAYS {
        sandbox.succeed(&["run", "publish", "--day", day]);
        sandbox.succeed(&["run", "notify", "--day", day, "--mail-to", READER]);
    }
}

/// What the sample says of the rider in words that nobody else's description has.
fn words_of_the_rider() -> Vec<String> {
    let needle = format!("\\\"user_id\\\":{RIDER},");
    let header = crate::program::sample_lines()
        .into_iter()
        .find(|line| line.contains(&needle));
    let header = header.unwrap().replace("\\\"", "\"");
    ["name", "address", "email_address"]
        .map(|field| {
            let (_, rest) = header.split_once(&format!("\"{field}\":\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        })
        .into()
}

/// Files below the data folder in which the rider is named.
fn files_that_name(words: &[String], sandbox: &Sandbox) -> Vec<String> {
    let names = |bytes: &[u8]| {
        words
            .iter()
            .any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
    };
    let files = files_below(&sandbox.data()).into_iter();
    files.filter(|(_, bytes)| names(bytes)).map(|(path, _)| path).collect()
}

fn mails(sandbox: &Sandbox) -> Vec<String> {
    sandbox.rows("select kind, topic, content_hash from ops.outbox where not starts_with(kind, 'ride_') order by all")
}

#[test]
fn an_erased_rider_is_in_no_file_their_days_are_made_again_and_nobody_is_mailed() {
    let sandbox = Sandbox::new();
    let cron = schedule(&sandbox);
    reported(&sandbox);
    sandbox.succeed(&["run", "export_rides"]);
    let words = words_of_the_rider();
    let before = files_that_name(&words, &sandbox);
    assert!(
        before.iter().any(|path| path.contains("exports")) && before.iter().any(|path| path.contains("duckdb")),
        "{before:?}"
    );
    let (mailed, page) = (
        mails(&sandbox),
        sandbox.data().join(format!("site/daily/{}/index.html", DAYS[0])),
    );
    let (rides, first_page) = (rides(&sandbox), fs::read_to_string(&page).unwrap());
    assert!(
        rides.contains(&format!(r#"{{"rider_id":{RIDER},"rides":9}}"#)),
        "{rides:?}"
    );

    let sandbox = sandbox.at("2026-05-07T08:10:00Z");
    let told = sandbox.succeed(&["erase", "--rider", &RIDER.to_string(), "--cron", &cron]);
    for words in [
        "9 rides",
        "ride files",
        "older edition",
        "written anew",
        DAYS[0],
        DAYS[1],
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(files_that_name(&words, &sandbox), [""; 0]);
    let others: Vec<_> = rides
        .into_iter()
        .filter(|row| !row.contains(&format!(":{RIDER},")))
        .collect();
    assert_eq!(self::rides(&sandbox), others, "all the others are as they were");
    for day in DAYS {
        sandbox.succeed(&["run", "notify", "--day", day, "--mail-to", READER, "--cron", &cron]);
    }
    assert_eq!(mails(&sandbox), mailed, "nobody is told that the days are others now");
    let second_page = fs::read_to_string(&page).unwrap();
    assert_ne!(first_page, second_page, "the report is another one");
    let told = second_page
        .find("estated")
        .map(|at| &second_page[at.saturating_sub(200)..at + 200]);
    assert_eq!(told, None, "and does not say by how much");

    // The same lines once more, as another file.
    let again = [&fs::read(sample()).unwrap()[..], &flate("{\"log\": \"the end\"}\n")].concat();
    sandbox.succeed(&["consume", "--from-file", &sandbox.write("again.jsonl.gz", again)]);
    assert_eq!(files_that_name(&words, &sandbox), [""; 0], "nothing comes back");
    assert_eq!(self::rides(&sandbox), others);
    let reconciled = sandbox.succeed(&["status", "--reconcile"]);
    assert!(reconciled.contains("accounted for"), "{reconciled}");
    let listed = sandbox.succeed(&["erase", "--list"]);
    assert!(
        listed.contains("rider 102") && listed.contains("nothing of it is left"),
        "{listed}"
    );
    let nothing = sandbox.succeed(&["erase", "--rider", &RIDER.to_string()]);
    assert!(nothing.contains("there is nothing of rider 102 here"), "{nothing}");
}

fn rides(sandbox: &Sandbox) -> Vec<String> {
    sandbox.rows("select rider_id, count(*) as rides from ride group by rider_id order by rider_id")
}

fn flate(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn a_server_that_is_killed_while_it_erases_brings_it_to_its_end_when_it_is_up_again() {
    let sandbox = Sandbox::in_real_time();
    let cron = schedule(&sandbox);
    reported(&sandbox);
    let words = words_of_the_rider();
    let settings = ["--source", "none", "--cron", &cron];
    let (mut server, address) = sandbox.serve(&settings);
    let erased = ask(&address, "DELETE", &format!("/rider/{RIDER}"));
    assert_eq!(
        (&erased["erased"]["rides"], &erased["rider_id"]),
        (&9.into(), &RIDER.into()),
        "{erased}"
    );
    assert_eq!(erased["days"], serde_json::json!(DAYS));
    assert_eq!(get(&address, &format!("/api/v1/riders/{RIDER}")).unwrap().0, 404);
    server.kill();
    for milliseconds in [300, 700, 1_500, 2_500] {
        let (mut server, _) = sandbox.serve(&settings);
        std::thread::sleep(Duration::from_millis(milliseconds));
        server.kill();
    }
    let (server, address) = sandbox.serve(&settings);
    wait_for(
        "finished erasure",
        Duration::from_secs(60),
        || server.log(),
        || {
            let erasures = ask(&address, "GET", "/api/v1/erasures");
            erasures["items"][0]["finished_at"].is_string().then_some(())
        },
    );
    drop(server);
    assert_eq!(files_that_name(&words, &sandbox), [""; 0]);
    assert_eq!(
        sandbox.rows(&format!(
            "select * from historical.leaderboard where rider_id = {RIDER}"
        )),
        [""; 0]
    );
}

#[test]
fn a_rider_who_is_erased_while_they_ride_is_off_the_wall_and_nothing_more_of_that_ride_is_kept() {
    let sandbox = Sandbox::in_real_time();
    let (server, address) = sandbox.serve(&["--bikes", "24", "--rides-per-day", "10"]);
    let riding = wait_for(
        "rider on the wall",
        Duration::from_secs(60),
        || server.log(),
        || {
            let riding = ask(&address, "GET", "/api/v1/live");
            let rides = riding["items"].as_array().cloned().unwrap_or_default();
            // The wall knows of a ride before the store does.
            let is_stored = |ride: &serde_json::Value| {
                get(&address, &format!("/api/v1/riders/{}", ride["rider_id"])).is_some_and(|(status, _)| status == 200)
            };
            rides
                .into_iter()
                .find(|ride| ride["rider_id"].is_i64() && is_stored(ride))
        },
    );
    let (rider, ride) = (
        riding["rider_id"].as_i64().unwrap(),
        riding["ride_id"].as_str().unwrap().to_owned(),
    );
    let erased = ask(&address, "DELETE", &format!("/api/v1/riders/{rider}"));
    assert!(erased["erased"]["rides"].as_i64() >= Some(1), "{erased}");
    wait_for(
        "wall without the rider",
        Duration::from_secs(10),
        || server.log(),
        || (!ask(&address, "GET", "/api/v1/live").to_string().contains(&ride)).then_some(()),
    );
    // The bike goes on to write, and some flushes later there is still nothing.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(get(&address, &format!("/api/v1/rides/{ride}")).unwrap().0, 404);
    drop(server);
    assert_eq!(
        sandbox.rows(&format!("select * from daily.reading where ride_id = '{ride}' limit 1")),
        [""; 0]
    );
    assert_ne!(
        sandbox.rows("select sum(tombstoned_lines)::bigint as lines from ops.line_count"),
        [r#"{"lines":0}"#],
        "they came, and are counted"
    );
}

/// What the server at `address` answers.
fn ask(address: &str, method: &str, path: &str) -> Value {
    let (_, text) = program::ask(address, method, path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{method} {path}: {text}"))
}
