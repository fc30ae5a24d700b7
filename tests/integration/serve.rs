//! The server as a newcomer meets it: simulated bikes, pages, commands, Ctrl-C, and the next start.

use std::time::{Duration, Instant};

use crate::program::{Running, Sandbox, free_address, get, wait_for};

const START: Duration = Duration::from_secs(60);

fn start(sandbox: &Sandbox) -> (Running, String) {
    let address = free_address();
    let running = sandbox.start(&["serve", "--bikes", "6", "--rides-per-day", "30", "--listen", &address]);
    (running, address)
}

/// Waits until a page answers with 200 and contains `words`.
#[track_caller]
fn wait_for_page(running: &Running, address: &str, path: &str, words: &str) -> String {
    wait_for(
        path,
        START,
        || format!("{:?}\n{}", get(address, path), running.log()),
        || {
            get(address, path)
                .filter(|(status, text)| *status == 200 && text.contains(words))
                .map(|(_, text)| text)
        },
    )
}

#[test]
fn a_newcomer_sees_everything_and_the_next_start_goes_on() {
    let sandbox = Sandbox::in_real_time();
    let (mut server, address) = start(&sandbox);
    wait_for_page(&server, &address, "/healthz", "ok");
    let index = wait_for_page(&server, &address, "/reports/index.html", "</html>");
    assert!(
        index.matches("report.pdf").count() >= 1 || index.contains("daily/"),
        "{index}"
    );
    let day = index.split("daily/").nth(1).unwrap()[..10].to_owned();
    for path in ["/", "/live", "/recent", "/docs/", "/outbox", "/jobs", "/openapi.json"] {
        wait_for_page(&server, &address, path, "");
    }
    let daily = wait_for_page(&server, &address, &format!("/api/v1/daily?date={day}"), "items");
    assert!(daily.contains("ride_id"), "{daily}");
    wait_for_page(&server, &address, "/outbox", "sent</span>");
    wait_for_page(&server, &address, "/metrics", "deloton_");
    // The bikes ride, and what they send arrives.
    wait_for(
        "reading from Kafka",
        START,
        || server.log(),
        || sandbox.succeed(&["status"]).contains("embedded-").then_some(()),
    );

    // Commands are done by the server, which holds the database.
    assert!(sandbox.path("data/serve.json").exists());
    assert!(sandbox.succeed(&["status"]).contains("lag"));
    assert!(sandbox.succeed(&["plan"]).contains("compact"));
    let run = sandbox.succeed(&["run", "daily_totals", "--day", &day]);
    assert!(run.contains("done"), "{run}");
    let twice = sandbox.fail(&["serve", "--listen", &free_address()]);
    assert!(twice.contains("running already") && twice.contains(&address), "{twice}");

    server.signal("INT");
    let asked = Instant::now();
    assert!(server.wait(Duration::from_secs(10)).success(), "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(!sandbox.path("data/serve.json").exists());
    let unreadable = "select count(*) as days from ops.sealed_day";
    let days = sandbox.rows(unreadable);

    // The next start fills nothing in again; it is killed, and the one after that recovers.
    let (mut server, address) = start(&sandbox);
    let started = Instant::now();
    wait_for_page(&server, &address, &format!("/api/v1/daily?date={day}"), "ride_id");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    wait_for(
        "lag",
        START,
        || server.log(),
        || sandbox.succeed(&["status"]).contains("lag").then_some(()),
    );
    std::thread::sleep(Duration::from_secs(2));
    server.kill();
    assert!(sandbox.path("data/serve.json").exists(), "nobody was left to remove it");
    let readings = "select count(*) - count(distinct (ride_id, second)) as doubled from reading";
    assert_eq!(sandbox.rows(readings), [r#"{"doubled":0}"#]);

    let (mut server, address) = start(&sandbox);
    wait_for_page(&server, &address, "/readyz", "ready");
    wait_for(
        "lag",
        START,
        || server.log(),
        || sandbox.succeed(&["status"]).contains("lag").then_some(()),
    );
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(10)).success(), "{}", server.log());
    assert_eq!(sandbox.rows(unreadable), days);
    assert_eq!(sandbox.rows(readings), [r#"{"doubled":0}"#]);
    let open =
        "select count(*) as open from daily.ride where ended_at is null and started_at < now() - interval 1 hour";
    assert_eq!(sandbox.rows(open), [r#"{"open":0}"#]);
}
