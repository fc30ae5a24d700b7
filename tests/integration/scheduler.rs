//! The schedule while it runs: an edited cron.toml, deadlines, dead-man's switches, and the logs of runs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use crate::program::{DAYS, NOW, Sandbox, get, sample, wait_for};

const PATIENCE: Duration = Duration::from_secs(40);

const COMPACT: &str = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\nretries = 0\n";
const PRUNE: &str = "[[job]]\nname = \"tidy\"\nkind = \"prune\"\ncron = \"30 3 * * *\"\n";

#[test]
fn an_edited_schedule_is_in_force_without_a_restart_or_refused_as_a_whole() {
    let sandbox = Sandbox::new();
    let cron = sandbox.write("cron.toml", COMPACT);
    let (server, _) = sandbox.serve(&["--source", "none", "--cron", &cron]);
    let status = || sandbox.succeed(&["status"]);
    assert!(status().contains("by ") && !status().contains("tidy"), "{}", status());
    let wait_until = |what: &str, holds: &dyn Fn(&str) -> bool| {
        wait_for(
            what,
            PATIENCE,
            || server.log(),
            || Some(status()).filter(|text| holds(text)),
        )
    };

    sandbox.write("cron.toml", format!("{COMPACT}{PRUNE}"));
    wait_until("new job", &|text| text.contains("tidy"));
    assert!(server.log().contains("new: `tidy`"), "{}", server.log());
    assert!(sandbox.succeed(&["run", "tidy", "--day", DAYS[0]]).contains("done"));

    sandbox.write("cron.toml", format!("{COMPACT}{}", PRUNE.replace("cron =", "corn =")));
    let refused = wait_until("refusal", &|text| text.contains("is refused"));
    assert!(
        refused.contains("did you mean `cron`?") && refused.contains("tidy"),
        "{refused}"
    );
    assert!(server.log().contains("did you mean `cron`?"), "{}", server.log());
    let table = "[[job]]\nname = \"by_bike\"\nkind = \"transform\"\nafter = \"compact\"\n";
    sandbox.write("cron.toml", format!("{COMPACT}{PRUNE}{table}"));
    wait_until("refusal of a table without SQL", &|text| {
        text.contains("no SQL for the daily table `by_bike`")
    });
    let said = sandbox.fail(&[
        "serve",
        "--source",
        "none",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        "other",
    ]);
    assert!(said.contains("no SQL for the daily table `by_bike`"), "{said}");
    sandbox.write("cron.toml", format!("[day]\nends_at = \"16:45\"\n{COMPACT}"));
    wait_until("refusal of another day", &|text| text.contains("restart the program"));
    let said = sandbox.succeed(&["plan"]);
    assert!(said.contains("tidy"), "the old one is in force: {said}");

    sandbox.write("cron.toml", COMPACT);
    let put_right = wait_until("schedule put right", &|text| !text.contains("tidy"));
    assert!(!put_right.contains("is refused"), "{put_right}");
}

#[test]
fn a_day_that_is_late_raises_one_mail_and_a_metric() {
    let sandbox = Sandbox::new().at("2026-05-04T12:00:00Z");
    sandbox.succeed(&["consume", "--from-file", &sample().to_string_lossy()]);
    let sandbox = sandbox.at(NOW);
    let serve = [
        "--source",
        "none",
        "--mail-to",
        "ceo@x.example",
        "--mail-failures-to",
        "ops@x.example",
    ];
    let (mut server, address) = sandbox.serve(&serve);
    let sent = || sandbox.succeed(&["outbox", "list"]);
    wait_for(
        "mails",
        PATIENCE,
        || server.log() + &sent(),
        || Some(sent()).filter(|text| text.matches("sent").count() >= 2),
    );
    let mails = sent();
    let failures = mails.lines().filter(|line| line.contains("job_failure"));
    let files: Vec<_> = failures.filter_map(|line| line.split_whitespace().last()).collect();
    let [file] = files.as_slice() else { panic!("{mails}") };
    let mail = std::fs::read_to_string(sandbox.path(file)).unwrap();
    assert!(
        mail.contains("ops@x.example") && !mail.contains("ceo@x.example"),
        "{mail}"
    );
    assert!(mail.contains("deloton run notify --day 2026-05-06"), "{mail}");
    let (_, metrics) = get(&address, "/metrics").unwrap();
    // Nobody was there in the mornings of the fifth, the sixth and the seventh.
    assert!(
        metrics.contains("deloton_job_deadlines_missed_total{job=\"notify\"} 3"),
        "{metrics}"
    );
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(10)).success());

    let (server, _) = sandbox.serve(&serve);
    wait_for(
        "tick",
        PATIENCE,
        || server.log(),
        || Some(()).filter(|()| sandbox.succeed(&["plan"]).contains("nothing")),
    );
    let failures = sent().lines().filter(|line| line.contains("job_failure")).count();
    assert_eq!(failures, 1, "{}", sent());
}

/// A service that hears pings, and what it was told: the request line and the body.
fn switch() -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a-secret", listener.local_addr().unwrap());
    let (told, hears) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut header, mut length) = (String::new(), String::new(), 0);
            reader.read_line(&mut request).unwrap();
            while reader.read_line(&mut header).unwrap() > 2 {
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                header.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .unwrap();
            if told.send((request, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, hears)
}

#[test]
fn a_dead_mans_switch_hears_of_runs_and_its_address_is_in_no_log() {
    let sandbox = Sandbox::with_sample();
    let transform = "[[job]]\nname = \"broken\"\nkind = \"transform\"\nafter = [\"compact\"]\nretries = 0\nping_url_env = \"PING_BROKEN\"\n";
    let text = format!("{COMPACT}ping_url_env = \"PING_COMPACT\"\n{transform}");
    let cron = sandbox.write("cron.toml", text);
    sandbox.write(
        "jobs/broken.sql",
        "select no_such_column from ride where business_day = :day",
    );
    let missing = sandbox.fail(&["serve", "--source", "none", "--cron", &cron]);
    assert!(
        missing.contains("PING_COMPACT") && missing.contains("PING_BROKEN"),
        "{missing}"
    );

    let (url, hears) = switch();
    let with_switches = |arguments: &[&str]| {
        let mut command = sandbox.command(&[arguments, &["--cron", &cron, "--log", "trace"]].concat());
        command.envs([("PING_COMPACT", &url), ("PING_BROKEN", &url)]);
        command
    };
    // By hand: the switches watch that the schedule is kept.
    let output = with_switches(&["run", "compact", "--day", DAYS[1]]).output().unwrap();
    assert!(output.status.success());
    let mut server = sandbox.start_command(with_switches(&["serve", "--source", "none", "--listen", "127.0.0.1:0"]));
    let mut heard = Vec::new();
    wait_for(
        "failed run",
        PATIENCE,
        || server.log(),
        || {
            heard.extend(hears.try_iter());
            heard
                .iter()
                .any(|(request, body): &(String, String)| request.contains("/fail") && body.contains(DAYS[0]))
                .then_some(())
        },
    );
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(10)).success());
    heard.extend(hears.try_iter());
    let said = server.log() + &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    let ours: Vec<_> = said.lines().filter(|line| line.contains("a-secret")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let about = |day: &str, path: &str, words: &str| {
        let is_it = |(request, body): &&(String, String)| {
            let asked = request.split('?').next().unwrap_or_default();
            asked == format!("POST /a-secret{path}") && body.contains(words) && body.contains(day)
        };
        heard.iter().filter(is_it).count()
    };
    assert_eq!(about(DAYS[0], "", "`compact` done for 2026-05-05"), 1, "{heard:#?}");
    assert_eq!(about(DAYS[0], "/fail", "no_such_column"), 1, "{heard:#?}");
    assert_eq!(about(DAYS[1], "", "`compact` done"), 0, "{heard:#?}");
    let starts = heard
        .iter()
        .filter(|(request, _)| request.contains("/a-secret/start"))
        .count();
    assert!(starts >= 2, "{heard:#?}");
}

#[test]
fn a_run_is_shown_with_what_it_logged() {
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "compact", "--day", DAYS[0]]);
    let (_server, address) = sandbox.serve(&["--source", "none"]);
    let json = |path: &str| -> serde_json::Value {
        let (status, text) = get(&address, path).unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let runs = json("/api/v1/jobs/compact/runs");
    let first = runs["items"].as_array().unwrap().last().unwrap();
    let run = json(&format!("/api/v1/runs/{}", first["run_id"].as_str().unwrap()));
    assert_eq!((&run["job"], &run["window"]), (&first["job"], &first["window"]));
    let log: Vec<_> = run["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(log.first(), Some(&"`compact` started for 2026-05-05"));
    assert!(
        log.last().unwrap().starts_with("`compact` done for 2026-05-05"),
        "{log:?}"
    );
    let (status, _) = get(&address, "/api/v1/runs/00000000-0000-0000-0000-000000000000").unwrap();
    assert_eq!(status, 404);
}
