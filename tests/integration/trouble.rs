//! What goes wrong outside: one clear message that names the thing and the way out, or it goes on and says so.

use std::{fs, net::TcpListener, time::Duration};

use crate::program::{DAYS, Sandbox, free_address, get, sample, sample_lines, wait_for};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs what has to fail and finds all of `words` in its message.
#[track_caller]
fn fails_saying(sandbox: &Sandbox, arguments: &[&str], words: &[&str]) {
    let message = sandbox.fail(arguments);
    for word in words {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails_saying(
        &sandbox,
        &["serve", "--source", "none", "--listen", &address],
        &[&address, "--listen", "in use"],
    );
}

#[test]
fn others_may_not_reach_a_server_without_keys() {
    fails_saying(
        &Sandbox::new(),
        &["serve", "--source", "none", "--listen", "0.0.0.0:0"],
        &["0.0.0.0", "127.0.0.1"],
    );
}

#[test]
fn settings_that_lack_something_are_told_at_once_and_before_the_address() {
    let sandbox = Sandbox::new();
    let listen = free_address();
    let kafka = ["--kafka-brokers", "127.0.0.1:9", "--kafka-property", "sasl.username=me"];
    let said = sandbox.run(&[&["serve", "--mail", "ses", "--listen", &listen], &kafka[..]].concat());
    assert_eq!(said.status.code(), Some(1));
    for word in ["3 settings", "--mail-from", "DELOTON_MAIL_TO", "security.protocol"] {
        assert!(said.err.contains(word), "no `{word}` in: {}", said.err);
    }
    assert_eq!(said.out, "", "nothing is promised before it is known to work");
    assert!(!sandbox.data().exists());
    fails_saying(
        &sandbox,
        &["run", "compact", "--mail", "ses", "--mail-from", "us@x.example"],
        &["--mail-to"],
    );
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set_and_a_sender_that_is_none_is_refused() {
    let sandbox = Sandbox::with_sample();
    let blank = ["DELOTON_MAIL_OVERRIDE", "DELOTON_MAIL_TO", "DELOTON_MAIL_FAILURES_TO"];
    let said = sandbox
        .command(&["plan"])
        .envs(blank.map(|name| (name, "")))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("nobody, as --mail-to is not set"), "{said}");
    for sender in ["foo", "Deloton <foo>", "Deloton <>", "a:b@x.example"] {
        fails_saying(
            &sandbox,
            &["check", "--mail-from", sender],
            &["--mail-from", "reports@deloton.example"],
        );
    }
    sandbox.succeed(&["check", "--mail-from", "Deloton <reports@x.example>"]);
}

#[test]
fn a_data_folder_that_is_not_there_does_not_look_healthy() {
    let sandbox = Sandbox::new();
    fails_saying(
        &sandbox,
        &["status", "--data-dir", "daat"],
        &["no data folder `daat`", "nothing was ever ingested", "--data-dir"],
    );
    assert!(!sandbox.path("daat").exists());
}

#[test]
fn a_database_that_another_process_holds_is_named() {
    let sandbox = Sandbox::new();
    let (_server, _) = sandbox.serve(&["--source", "none"]);
    fs::remove_file(sandbox.data().join("serve.json")).unwrap();
    let words = ["deloton.duckdb", "held by another process", "stop that one"];
    fails_saying(&sandbox, &["run", "compact", "--day", DAYS[0]], &words);
    fails_saying(&sandbox, &["status"], &words);
}

#[test]
fn a_damaged_a_newer_and_a_misplaced_database_are_named() {
    let sandbox = Sandbox::new();
    sandbox.write("data/deloton.duckdb", vec![7; 20_000]);
    fails_saying(
        &sandbox,
        &["status"],
        &["data/deloton.duckdb", "deloton restore", "afresh"],
    );

    let sandbox = Sandbox::new();
    let connection = sandbox.store();
    let newer = "insert into main.schema_version values (999, '2030-01-01')";
    connection.connection().unwrap().execute_batch(newer).unwrap();
    drop(connection);
    fails_saying(
        &sandbox,
        &["status"],
        &["deloton.duckdb", "999", "newer", "restore a backup"],
    );

    // A file in the data folder's place: nobody may write there, root or not.
    let sandbox = Sandbox::new();
    sandbox.write("data", "not a folder");
    fails_saying(
        &sandbox,
        &["consume", "--from-file", &sample().to_string_lossy()],
        &["`data`", "--data-dir"],
    );
}

#[test]
fn every_mistake_in_cron_toml_is_told_at_once_with_its_place() {
    let sandbox = Sandbox::new();
    let text = "[day]\ntimezone = \"Europe/Lodnon\"\n\n[[job]]\nname = \"compact\"\nkind = \"compakt\"\ncron = \"61 * * * *\"\n";
    sandbox.write("cron.toml", text);
    for command in [
        vec!["check"],
        vec!["run", "compact"],
        vec!["serve", "--source", "none", "--listen", "127.0.0.1:0"],
    ] {
        let message = sandbox.fail(&command);
        for word in ["2:12", "Europe/London", "6:8", "`compact`", "7:8", "61"] {
            assert!(message.contains(word), "no `{word}` in: {message}");
        }
    }
}

#[test]
fn broken_sql_is_named_with_its_line_and_fails_only_its_own_job() {
    let sandbox = Sandbox::with_sample();
    sandbox.write(
        "jobs/daily_by_city.sql",
        "-- Rides by town.\nselect\n    count(*) as rides,\n    no_such_column\nfrom ride\nwhere business_day = :day\n",
    );
    let said = sandbox.run(&["check", "--jobs-dir", "jobs"]);
    assert!(!said.status.success());
    let told = format!("{}{}", said.out, said.err);
    for word in ["daily_by_city.sql", "4", "no_such_column"] {
        assert!(told.contains(word), "no `{word}` in: {told}");
    }
    let arguments = ["run", "daily_by_city", "--day", DAYS[0], "--jobs-dir", "jobs"];
    fails_saying(
        &sandbox,
        &arguments,
        &["daily_by_city", "no_such_column", "daily_by_city.sql:4"],
    );
    let said = sandbox.run(&arguments);
    let told = said.out + &said.err;
    assert_eq!(
        told.matches("no_such_column").count(),
        1,
        "the reason is told once: {told}"
    );
    sandbox.succeed(&["run", "daily_by_gender", "--day", DAYS[0], "--jobs-dir", "jobs"]);
    assert_eq!(
        sandbox.rows("select distinct job, outcome from ops.job_run where job <> 'compact' order by all"),
        [
            r#"{"job":"daily_by_city","outcome":"failed"}"#,
            r#"{"job":"daily_by_gender","outcome":"succeeded"}"#
        ]
    );
}

#[test]
fn a_table_is_added_with_a_file_and_four_lines() {
    let sandbox = Sandbox::with_sample();
    sandbox.write(
        "jobs/rides_by_bike.sql",
        "-- Rides by bike.\nselect bike_serial, count(*) as rides\nfrom ride\nwhere business_day = :day\ngroup by bike_serial\n",
    );
    let cron = concat!(
        include_str!("../../cron.toml"),
        "\n[[job]]\nname = \"rides_by_bike\"\nkind = \"transform\"\nafter = [\"compact\"]\n"
    );
    sandbox.write("cron.toml", cron);
    sandbox.succeed(&["check"]);
    for day in DAYS {
        sandbox.succeed(&["run", "rides_by_bike", "--day", day]);
    }
    let rides = "select business_day::varchar as day, sum(rides)::bigint as rides, count(*) > 4 as bikes
        from historical.rides_by_bike group by all order by all";
    assert_eq!(
        sandbox.rows(rides),
        sandbox.rows(
            "select business_day::varchar as day, count(*) as rides, true as bikes from ride group by all order by all"
        )
    );
}

#[test]
fn what_is_asked_for_and_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    for mistake in [&["status", "--no-such-flag"][..], &["no-such-command"], &["run"], &[]] {
        assert_eq!(sandbox.run(mistake).status.code(), Some(1), "{mistake:?}");
    }
    assert!(sandbox.succeed(&["--help"]).contains("Usage"));
    fails_saying(&sandbox, &["run", "compcat", "--day", DAYS[0]], &["compcat", "compact"]);
    let missing = sandbox.path("no-such.jsonl").display().to_string();
    fails_saying(
        &sandbox,
        &["consume", "--from-file", &missing],
        &["no-such.jsonl", "cannot open"],
    );
    fails_saying(
        &sandbox,
        &[
            "consume",
            "--kafka-brokers",
            "127.0.0.1:9",
            "--kafka-property",
            "sesion.timeout.ms=6000",
        ],
        &["sesion.timeout.ms"],
    );
    fails_saying(
        &sandbox,
        &["consume", "--kafka-property", "nonsense"],
        &["nonsense", "key=value"],
    );
    fails_saying(&sandbox, &["consume"], &["--kafka-brokers", "--from-file"]);
    fails_saying(&sandbox, &["rejected", "show", "0", "5"], &["deloton rejected list"]);
}

#[test]
fn a_bucket_out_of_reach_fails_its_job_and_the_server_goes_on() {
    let sandbox = Sandbox::with_sample();
    let nobody = format!("http://{}", free_address());
    let site = ["--site", "s3://reports/site", "--aws-endpoint-url", &nobody];
    let (mut server, address) = sandbox.serve(&[&["--source", "none"], &site[..]].concat());
    let message = sandbox.fail(&["run", "publish", "--day", DAYS[0]]);
    assert!(
        message.contains("s3://reports/site") && message.contains("publish"),
        "{message}"
    );
    // The server's own schedule tries it meanwhile.
    wait_for(
        "the failure in `status`",
        PATIENCE,
        || sandbox.succeed(&["status"]),
        || {
            let status = sandbox.succeed(&["status"]);
            let mut lines = status.lines();
            lines
                .any(|line| line.contains("`publish` failed ") && line.contains("for 2026-05-05"))
                .then_some(())
        },
    );
    assert_eq!(get(&address, "/healthz").unwrap().0, 200);
    assert!(!server.is_over());
}

#[test]
fn a_broker_out_of_reach_is_shown_and_tried_again() {
    let sandbox = Sandbox::in_real_time();
    let nobody = free_address();
    let (mut server, address) = sandbox.serve(&["--kafka-brokers", &nobody]);
    let (_, told) = wait_for(
        "trouble at /readyz",
        PATIENCE,
        || server.log(),
        || get(&address, "/readyz").filter(|(status, _)| *status == 503),
    );
    assert!(told.contains("Kafka") || told.contains("broker"), "{told}");
    let status = sandbox.succeed(&["status"]);
    assert!(
        status.starts_with("needs a look") && status.contains("broker"),
        "{status}"
    );
    assert_eq!(get(&address, "/healthz").unwrap().0, 200);
    assert!(!server.is_over());
    server.signal("INT");
    assert!(server.wait(Duration::from_secs(8)).success(), "{}", server.log());

    let mut alone = sandbox.start(&["consume", "--kafka-brokers", &nobody]);
    wait_for(
        "word of the broker",
        PATIENCE,
        || alone.log(),
        || alone.log().contains("Kafka").then_some(()),
    );
    assert!(!alone.is_over());
    alone.signal("TERM");
    assert!(alone.wait(Duration::from_secs(8)).success(), "{}", alone.log());
}

#[test]
fn what_cannot_be_read_is_kept_and_counted() {
    let sandbox = Sandbox::new();
    // What editors of other systems put in front is no mistake.
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    for line in &sample_lines()[..200] {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    let good = 200;
    bytes.extend_from_slice(b"this is not JSON\n{\"log\": 5}\n{\"log\": \"nobody knows this\"}\n{\"key\": \"SN1\"}\n");
    bytes.extend_from_slice(&[0, 0xff, 0xfe, b'"', 0x80, 0x1b, b'[', b'2', b'J', b'\n']);
    bytes.extend_from_slice(b"{\"log\": \"cut of");
    bytes.push(b'\n');
    bytes.extend(std::iter::repeat_n(b'x', 3 << 20));
    bytes.push(b'\n');
    let file = sandbox.write("garbage.jsonl", &bytes);
    let said = sandbox.succeed(&["consume", "--from-file", &file]);
    assert!(said.contains("deloton rejected list"), "{said}");
    let list = sandbox.succeed(&["rejected", "list"]);
    let rejected = list.lines().count();
    assert!(rejected >= 7, "{list}");
    let shown = sandbox.succeed(&["rejected", "show", "0", &good.to_string()]);
    assert!(shown.contains("this is not JSON"), "{shown}");
    for (offset, reason) in [(good, "not a JSON object in UTF-8"), (good + 6, "longer than 1 MiB")] {
        let line = format!("garbage.jsonl partition 0 offset {offset}  {reason}");
        assert!(list.contains(&line), "{line} is not in: {list}");
    }
    assert!(!list.contains("offset 0 "), "the byte-order mark is no mistake: {list}");
    let shown = sandbox.succeed(&["rejected", "show", "0", &(good + 4).to_string()]);
    assert!(shown.contains(r#"\u{0}\xff\xfe"\x80\u{1b}[2J"#), "{shown}");
    let kept = sandbox.rows("select sum(octet_length(raw))::bigint > 3000000 as kept from daily.rejected_line");
    assert_eq!(kept, [r#"{"kept":true}"#]);
    assert!(sandbox.succeed(&["status"]).contains("could not be understood"));

    // Files of nothing but noise, of nothing, and one that says it is gzip and is not whole.
    let noise: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for (name, bytes) in [("noise", noise), ("empty", Vec::new())] {
        let file = sandbox.write(name, bytes);
        sandbox.succeed(&["consume", "--from-file", &file]);
    }
    let mut zipped = fs::read(sample()).unwrap();
    zipped.truncate(100_000);
    let file = sandbox.write("cut.jsonl.gz", zipped);
    fails_saying(
        &sandbox,
        &["consume", "--from-file", &file],
        &["cut.jsonl.gz", "damaged", "only in part"],
    );
    let kept = sandbox.rows(
        "select sum(messages) > 1000 as lines, (select count(*) from ride where ended_at is null) as open
         from ops.line_count join ops.stream using (source, topic, partition) where topic = 'cut.jsonl.gz'",
    );
    assert_eq!(kept, [r#"{"lines":true,"open":0}"#]);
}
