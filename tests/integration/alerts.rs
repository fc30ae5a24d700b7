//! Heart-rate alerts from the broker to the mail, through the real program: at once, once, and to nobody who is not real.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use deloton::{clock::Clock, simulate::broker::EmbeddedBroker};
use mail_parser::MessageParser;

use crate::{
    crash::{PATIENCE, produce},
    program::{Running, Sandbox, files_below, free_address, get, wait_for},
};

/// One bike's lines as they are written now, by a clock that is right.
struct Bike {
    serial: String,
    began_at: DateTime<Utc>,
    second: i64,
}

type Lines = Vec<(String, i64, Vec<u8>)>;

impl Bike {
    fn new(serial: &str) -> Self {
        Bike {
            serial: serial.to_owned(),
            began_at: Clock::System.now() - TimeDelta::seconds(30),
            second: 0,
        }
    }

    fn line(&self, text: &str) -> (String, i64, Vec<u8>) {
        let at = self.began_at + TimeDelta::seconds(self.second);
        let log = format!("{} mendoza v9: {text}\n", at.format("%Y-%m-%d %H:%M:%S%.6f"));
        let payload = serde_json::json!({ "log": log }).to_string().into_bytes();
        (self.serial.clone(), at.timestamp_millis(), payload)
    }

    fn header(&self, rider_id: i64, address: &str) -> Lines {
        let data = serde_json::json!({
            "user_id": rider_id, "name": "Ms Ann <b>Ek</b>", "gender": "female", "date_of_birth": 315_532_800_000_i64,
            "email_address": address, "bike_serial": self.serial,
        });
        vec![
            self.line("Getting user data from server.."),
            self.line(&format!("[SYSTEM] data = {data}")),
        ]
    }

    fn ride(&mut self, seconds: i64, bpm: i32) -> Lines {
        let mut lines = Vec::new();
        for _ in 0..seconds {
            self.second += 1;
            lines.push(self.line(&format!("[INFO]: Ride - duration = {}.0; resistance = 30", self.second)));
            lines.push(self.line(&format!("[INFO]: Telemetry - hrt = {bpm}; rpm = 60; power = 50.0")));
        }
        lines
    }
}

fn serve(sandbox: &Sandbox, broker: &EmbeddedBroker, group: &str) -> (Running, String) {
    let address = free_address();
    let running = sandbox.start(&[
        "serve",
        "--kafka-brokers",
        &broker.bootstrap_servers(),
        "--kafka-group",
        group,
        "--start",
        "earliest",
        // A setting that is wrong by hours must silence nothing.
        "--log-timezone",
        "America/New_York",
        "--listen",
        &address,
    ]);
    wait_for(
        "the consumer",
        PATIENCE,
        || running.log(),
        || running.log().contains("consuming").then_some(()),
    );
    (running, address)
}

fn mails(sandbox: &Sandbox) -> Vec<Vec<u8>> {
    let folder = sandbox.path("data/outbox");
    if !folder.exists() {
        return Vec::new();
    }
    let files = files_below(&folder).into_iter();
    files
        .filter(|(name, _)| name.contains("heart_rate_alert-") && name.ends_with(".eml"))
        .map(|(_, bytes)| bytes)
        .collect()
}

#[test]
fn an_alert_is_mailed_at_once_and_never_again() {
    let sandbox = Sandbox::in_real_time();
    let broker = EmbeddedBroker::start("deloton", 1).unwrap();
    let (mut server, address) = serve(&sandbox, &broker, "one");
    let mut bike = Bike::new("SN0001");
    produce(&broker, &bike.header(7, "ann@riders.deloton.com"));
    produce(&broker, &bike.ride(9, 190));
    std::thread::sleep(Duration::from_secs(1));
    assert!(mails(&sandbox).is_empty(), "nine seconds are no alert");
    let sent = Instant::now();
    produce(&broker, &bike.ride(1, 190));
    wait_for(
        "the mail",
        PATIENCE,
        || server.log(),
        || (!mails(&sandbox).is_empty()).then_some(()),
    );
    println!("from the broker to the mail: {:?}", sent.elapsed());
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());

    let bytes = mails(&sandbox).remove(0);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    let to = mail.to().unwrap().first().unwrap();
    assert_eq!(to.address(), Some("ann@riders.deloton.com"));
    let (text, html) = (mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
    for part in [&text, &html] {
        for words in [
            "Hello Ann",
            "190\u{202f}bpm",
            "10\u{202f}s",
            "208 − 0.7 × age",
            "± 10",
            "not medical advice",
        ] {
            assert!(part.contains(words), "{words}: {part}");
        }
        assert!(part.contains("no more of these mails"), "{part}");
    }
    assert!(!html.contains("<b>Ek"), "{html}");

    // Killed, it reads again what it had not stored a checkpoint of; and the rider goes on as before.
    produce(&broker, &bike.ride(5, 190));
    server.kill();
    let (mut server, address_now) = serve(&sandbox, &broker, "two");
    produce(&broker, &bike.ride(10, 190));
    let listed = wait_for(
        "the seconds after the kill",
        PATIENCE,
        || server.log(),
        || {
            let listed = sandbox.succeed(&["alerts", "list"]);
            let ride = listed.split(" ride ").nth(1)?.split(' ').next()?;
            let readings = get(&address_now, &format!("/api/v1/rides/{ride}/readings"))?.1;
            readings.contains(r#""second":25"#).then_some(listed)
        },
    );
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.contains("rider 7 ") && listed.contains("  mailed  "), "{listed}");
    assert_eq!(mails(&sandbox).len(), 1);
    assert_ne!(address, address_now);
    let (status, alerts) = get(&address_now, "/api/v1/alerts?rider_id=7").unwrap();
    assert!(status == 200 && alerts.contains(r#""mail_state":"sent""#), "{alerts}");

    // A limit of one's own holds for the ride under way.
    let said = sandbox.succeed(&["rider", "limit", "8", "--upper", "120", "--mails", "off"]);
    assert!(said.contains("upper 120 bpm") && said.contains("no mail"), "{said}");
    let mut other = Bike::new("SN0002");
    produce(&broker, &other.header(8, "bo@riders.deloton.com"));
    produce(&broker, &other.ride(12, 130));
    let listed = wait_for(
        "the second alert",
        PATIENCE,
        || server.log(),
        || Some(sandbox.succeed(&["alerts", "list"])).filter(|listed| listed.lines().count() == 2),
    );
    let own = listed.lines().find(|line| line.contains("rider 8 ")).unwrap();
    assert!(
        own.contains("above 120 bpm (rider)") && own.contains("  not mailed  "),
        "{own}"
    );
    assert_eq!(mails(&sandbox).len(), 1);
    server.signal("TERM");
    assert!(server.wait(PATIENCE).success(), "{}", server.log());
}

#[test]
fn a_simulated_rider_is_never_mailed_at_an_address_that_somebody_made_up() {
    let sandbox = Sandbox::in_real_time();
    let broker = EmbeddedBroker::start("deloton", 1).unwrap();
    let (mut server, _) = serve(&sandbox, &broker, "one");
    let mut bike = Bike::new("SN0001");
    produce(&broker, &bike.header(7, "ann@example.com"));
    produce(&broker, &bike.ride(10, 190));
    wait_for(
        "the mail",
        PATIENCE,
        || server.log(),
        || (!mails(&sandbox).is_empty()).then_some(()),
    );
    let bytes = mails(&sandbox).remove(0);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(
        mail.to().unwrap().first().unwrap().address(),
        Some("riders@deloton.example")
    );
    server.signal("TERM");
    assert!(server.wait(PATIENCE).success(), "{}", server.log());
}

#[test]
fn limits_and_rules_that_cannot_be_meant_are_refused_in_words() {
    let sandbox = Sandbox::with_sample();
    let said = sandbox.fail(&["rider", "limit", "7", "--upper", "1650"]);
    assert!(said.contains("1650 bpm is no upper limit"), "{said}");
    let said = sandbox.fail(&["rider", "limit", "7", "--upper", "-5"]);
    assert!(said.contains("-5 bpm is no upper limit"), "{said}");
    let said = sandbox.fail(&["alerts", "backtest", "--from", "yesterday"]);
    assert!(said.contains("expected a date like 2026-11-21"), "{said}");
    let said = sandbox.fail(&["rider", "limit", "7", "--upper", "100", "--lower", "120"]);
    assert!(said.contains("not below"), "{said}");
    let said = sandbox.fail(&["rider", "limit", "7", "--clear"]);
    assert!(said.contains("nothing is settled for rider 7"), "{said}");
    let said = sandbox.succeed(&["rider", "limit", "7", "--lower", "50"]);
    assert!(
        said.contains("upper as for everybody, lower 50 bpm") && said.contains("no bike has told"),
        "{said}"
    );
    assert!(sandbox.succeed(&["rider", "limit", "list"]).contains("rider 7: "));
    sandbox.succeed(&["rider", "limit", "7", "--clear"]);
    assert!(sandbox.succeed(&["rider", "limit", "list"]).contains("no rider has"));
    let backtest = ["alerts", "backtest", "--from", "2026-05-05", "--to", "2026-05-06"];
    let said = sandbox.fail(&[&backtest[..], &["--set", "second=15"]].concat());
    assert!(said.contains("--set second=15") && said.contains("seconds"), "{said}");
    let said = sandbox.succeed(&[&backtest[..], &["--set", "seconds=5", "--set", "fraction=0.8"]].concat());
    for words in [
        "as configured",
        "tanaka",
        "gellish",
        "fox",
        "seconds=5 fraction=0.8",
        "sensor faults",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(
        sandbox.succeed(&["alerts", "list"]).contains("no alerts were raised"),
        "files raise none"
    );
    let cron = sandbox.write(
        "cron.toml",
        "[heart_rate]\nseconds = 0\nformula = \"tanka\"\nsecond = 1\n",
    );
    let said = sandbox.fail(&["check", "--cron", &cron]);
    for words in ["cron.toml:2:", "cron.toml:3:", "cron.toml:4:", "seconds"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
