//! Everything again, for the same day: the same result, and nobody is told twice.

use std::{collections::BTreeSet, fs, time::Duration};

use deloton::{
    clock::Clock,
    domain::batch::StreamId,
    ingest::{
        file::{ingest, ingest_file},
        sessionize::Rules,
        source::file::FileSource,
    },
    store::Store,
};

use crate::program::{DAYS, NOW, Sandbox, rows, sample, sample_lines, wait_for};

/// Every table whose rows say something about a day, and not about when a program ran.
fn tables(sandbox: &Sandbox) -> Vec<(String, Vec<String>)> {
    let store = sandbox.store();
    let names = rows(
        &store,
        "select table_schema || '.' || table_name as name from information_schema.tables
         where table_schema in ('daily', 'historical') and table_type = 'BASE TABLE' order by name",
    );
    let names = names
        .iter()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap()["name"].clone());
    names
        .map(|name| {
            let name = name.as_str().unwrap().to_owned();
            let rows = rows(&store, &format!("select * from {name} order by all"));
            (name, rows)
        })
        .collect()
}

/// The jobs of days; the sample's week and month are not over.
fn jobs() -> Vec<String> {
    let cron = include_str!("../../cron.toml");
    let jobs = cron.split("[[job]]").filter(|job| !job.contains("\nevery = "));
    let names = jobs
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("name = \""));
    names.map(|name| name.trim_end_matches('"').to_owned()).collect()
}

#[test]
fn every_job_again_for_the_same_day_changes_nothing_and_mails_nobody() {
    let sandbox = Sandbox::with_sample();
    let jobs = jobs();
    assert!(jobs.len() > 12, "{jobs:?}");
    let run_all = || {
        for day in DAYS {
            for job in jobs
                .iter()
                .filter(|job| !["send", "send_alerts", "export_rides", "prune", "backup"].contains(&job.as_str()))
            {
                sandbox.succeed(&["run", job, "--day", day, "--mail-to", "ceo@deloton.example"]);
            }
        }
    };
    run_all();
    let (tables_before, site, lake) = (tables(&sandbox), sandbox.hashes("site"), sandbox.hashes("lake"));
    let mails = sandbox.hashes("outbox");
    assert!(
        tables_before
            .iter()
            .any(|(name, rows)| name == "historical.daily_totals" && rows.len() == 2)
    );
    assert_eq!(lake.len(), 4);
    assert_eq!(mails.len(), DAYS.len());

    run_all();
    assert_eq!(sandbox.hashes("site"), site);
    assert_eq!(sandbox.hashes("lake"), lake);
    assert_eq!(sandbox.hashes("outbox"), mails);
    assert_eq!(tables(&sandbox), tables_before);

    // Pruned and run again from history alone: what people read is still the same.
    let sandbox = sandbox.at("2026-05-21T08:00:00Z");
    sandbox.succeed(&["run", "prune", "--day", "2026-05-20"]);
    let sandbox = sandbox.at(NOW);
    assert_eq!(
        sandbox.rows("select count(*) as readings from daily.reading"),
        [r#"{"readings":0}"#]
    );
    for day in DAYS {
        sandbox.succeed(&["run", "compact", "--day", day]);
        sandbox.succeed(&["run", "daily_totals", "--day", day]);
        sandbox.succeed(&["run", "report", "--day", day]);
        sandbox.succeed(&["run", "publish", "--day", day]);
    }
    assert_eq!(sandbox.hashes("site"), site);
    // `prune` sealed its own day, which nobody rode in.
    let mut lake_now = sandbox.hashes("lake");
    lake_now.retain(|(path, _)| !path.contains("2026-05-20"));
    assert_eq!(lake_now, lake);
}

/// The headline figures of a day's report, as they are published.
fn headlines(sandbox: &Sandbox, day: &str) -> serde_json::Value {
    let text = fs::read(sandbox.path(&format!("data/site/daily/{day}/report.json"))).unwrap_or_default();
    serde_json::from_slice(&text).map_or(serde_json::Value::Null, |mut report: serde_json::Value| {
        report["headlines"].take()
    })
}

/// When the files of a day's report were written.
fn written_at(sandbox: &Sandbox, day: &str) -> Vec<std::time::SystemTime> {
    let mut files: Vec<_> = fs::read_dir(sandbox.path(&format!("data/reports/{day}")))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    files.sort_by_key(fs::DirEntry::path);
    files
        .iter()
        .map(|file| file.metadata().unwrap().modified().unwrap())
        .collect()
}

#[test]
fn a_report_that_says_what_it_said_leaves_those_of_other_days_alone() {
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "report", "--day", DAYS[0]]);
    let alone = written_at(&sandbox, DAYS[0]);
    sandbox.succeed(&["run", "report", "--day", DAYS[1]]);
    // There is a day after it now, which it links to.
    let [first, second] = DAYS.map(|day| written_at(&sandbox, day));
    assert_ne!(first, alone);
    let page = fs::read_to_string(sandbox.path(&format!("data/reports/{}/index.html", DAYS[0]))).unwrap();
    assert!(page.contains(&format!("href=\"../{}/index.html\"", DAYS[1])), "{page}");

    sandbox.succeed(&["run", "report", "--day", DAYS[0]]);
    assert_ne!(written_at(&sandbox, DAYS[0]), first);
    assert_eq!(written_at(&sandbox, DAYS[1]), second);
}

#[test]
fn late_rides_change_what_the_next_day_is_compared_with_and_mail_nobody() {
    let is_late = |line: &String| line.contains("SN0001") && line.contains(&format!("\"{} ", DAYS[0]));
    let (late, early): (Vec<_>, Vec<_>) = sample_lines().into_iter().partition(is_late);
    assert!(!late.is_empty() && !early.is_empty());
    let sandbox = Sandbox::new();
    let take_in = |sandbox: &Sandbox, name: &str, lines: &[String]| {
        let file = sandbox.write(name, lines.join("\n") + "\n");
        sandbox.succeed(&["consume", "--from-file", &file]);
    };
    take_in(&sandbox, "early.jsonl", &early);
    for day in DAYS {
        sandbox.succeed(&["run", "notify", "--day", day, "--mail-to", "ceo@deloton.example"]);
    }
    let rides = |day: &str, what: &str| headlines(&sandbox, day)[0][what].clone();
    let (first, mails) = (rides(DAYS[0], "value"), sandbox.hashes("outbox"));
    assert_eq!(rides(DAYS[1], "day_before"), first);
    assert_eq!(mails.len(), DAYS.len());
    let page = |sandbox: &Sandbox| {
        let path = sandbox.path(&format!("data/site/daily/{}/index.html", DAYS[1]));
        fs::read_to_string(path).unwrap()
    };
    let before = page(&sandbox);

    // The day after, compaction finds what came late and makes the day again.
    let sandbox = sandbox.at("2026-05-08T08:00:00Z");
    take_in(&sandbox, "late.jsonl", &late);
    let (mut server, _) = sandbox.serve(&["--source", "none", "--mail-to", "ceo@deloton.example"]);
    wait_for(
        "comparison with the restated day",
        Duration::from_secs(60),
        || server.log(),
        || {
            let [restated, next] = DAYS.map(|day| headlines(&sandbox, day));
            (restated[0]["value"] != first && restated[0]["value"] == next[0]["day_before"]).then_some(())
        },
    );
    // The day in between has its mail after all that is about the days before it.
    wait_for(
        "mail of the newest day",
        Duration::from_secs(60),
        || server.log(),
        || sandbox.path("data/outbox/2026-05-07").exists().then_some(()),
    );
    assert_ne!(page(&sandbox), before);
    let restated = fs::read_to_string(sandbox.path(&format!("data/site/daily/{}/index.html", DAYS[0]))).unwrap();
    assert!(
        restated.contains("was restated on Fri 8 May, because")
            && restated.contains("more rides arrived after the first report"),
        "{restated}"
    );
    assert!(
        restated.contains("Rides ") && restated.contains(" → "),
        "it says what moved: {restated}"
    );
    server.signal("TERM");
    server.wait(Duration::from_secs(30));
    let mut about_these_days = sandbox.hashes("outbox");
    about_these_days.retain(|(path, _)| DAYS.iter().any(|day| path.contains(day)));
    assert_eq!(about_these_days, mails);
}

#[test]
fn the_same_file_again_is_nothing_new_whatever_it_is_called() {
    let sandbox = Sandbox::with_sample();
    let before = (
        tables(&sandbox),
        sandbox.rows("select * exclude flushed_at from ops.stream"),
        sandbox.rows("from ops.line_count"),
    );
    let copy = sandbox.write("copy.jsonl.gz", std::fs::read(sample()).unwrap());
    for file in [sample().display().to_string(), copy] {
        let said = sandbox.succeed(&["consume", "--from-file", &file]);
        assert!(said.contains("taken in before"), "{said}");
    }
    assert_eq!(
        before,
        (
            tables(&sandbox),
            sandbox.rows("select * exclude flushed_at from ops.stream"),
            sandbox.rows("from ops.line_count"),
        )
    );
}

/// What people see of rides, readings and riders.
fn seen(sandbox: &Sandbox) -> Vec<Vec<String>> {
    let store = sandbox.store();
    ["ride", "reading", "rider", "daily.alert"]
        .map(|table| rows(&store, &format!("select * from {table} order by all")))
        .into()
}

/// Where the night between the two days begins: nobody rides.
fn night(lines: &[String]) -> usize {
    let is_of_second_day = |line: &String| line.contains(&format!("\"{} ", DAYS[1]));
    let first = lines.iter().position(is_of_second_day).unwrap();
    first
        - lines[..first]
            .iter()
            .rev()
            .take_while(|line| line.contains("--- beginning of"))
            .count()
}

/// The first place from `from` on where every bike's last reading is whole.
fn between_readings(lines: &[String], from: usize) -> usize {
    let mut half = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        if index >= from && half.is_empty() {
            return index;
        }
        let bike = line.split('"').nth(3).unwrap_or_default();
        if line.contains("[INFO]: Ride") {
            half.insert(bike);
        } else {
            half.remove(bike);
        }
    }
    lines.len()
}

#[test]
fn a_file_that_overlaps_an_earlier_one_doubles_nothing() {
    let lines = sample_lines();
    let half = night(&lines);
    let three_quarters = between_readings(&lines, half + (lines.len() - half) / 2);
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let whole = Sandbox::new();
    let file = whole.write("whole.jsonl", text(&lines));
    whole.succeed(&["consume", "--from-file", &file]);

    let parts = Sandbox::new();
    for (name, lines) in [("a.jsonl", &lines[..three_quarters]), ("b.jsonl", &lines[half..])] {
        let file = parts.write(name, text(lines));
        parts.succeed(&["consume", "--from-file", &file]);
    }
    let (whole, parts) = (seen(&whole), seen(&parts));
    let seconds = |rows: &[String]| {
        let row = |row: &String| {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            format!("{} {}", row["ride_id"], row["second"])
        };
        rows.iter().map(row).collect::<BTreeSet<_>>()
    };
    assert_eq!(seconds(&parts[1]).len(), parts[1].len(), "a second counts once");
    for (whole, parts) in whole.iter().zip(&parts) {
        let (whole, parts): (BTreeSet<_>, BTreeSet<_>) = (whole.iter().collect(), parts.iter().collect());
        let missing: Vec<_> = whole.difference(&parts).take(3).collect();
        let surplus: Vec<_> = parts.difference(&whole).take(3).collect();
        assert_eq!(missing, surplus, "of {} and {}", whole.len(), parts.len());
    }
}

#[test]
fn consume_tells_of_this_file_in_the_words_and_numbers_of_status() {
    let sandbox = Sandbox::new();
    let lines = sample_lines();
    let file = |name: &str, lines: &[String]| sandbox.write(name, lines.join("\n") + "\n");
    let (first, second) = lines.split_at(lines.len() * 2 / 3);
    let an_hour_ago = Clock::Fixed("2026-05-07T07:00:00Z".parse().unwrap());
    let store = Store::open(&sandbox.data(), an_hour_ago).unwrap();
    let first = file("first.jsonl", first);
    ingest_file(&store, Rules::default(), chrono_tz::UTC, first.as_ref(), |_, _| {}).unwrap();
    drop(store);

    // An earlier run of the second file got as far as its first thousand lines.
    let path = file("second.jsonl", second);
    let source = FileSource::open(path.as_ref()).unwrap();
    let stream = StreamId {
        source: source.identity().to_owned(),
        topic: source.name(),
    };
    let cut_off = sandbox.write("cut-off.jsonl", second[..1_000].join("\n") + "\n");
    ingest(&sandbox.store(), Rules::default(), chrono_tz::UTC, &stream, |each| {
        FileSource::open(cut_off.as_ref()).unwrap().read(|message, _| {
            each(message)?;
            Ok(true)
        })
    })
    .unwrap();
    let said = sandbox.succeed(&["consume", "--from-file", &path]);
    let told: Vec<&str> = said.lines().collect();
    assert!(
        told[0].ends_with("messages taken in now, after 1,000 by an earlier run that was cut off"),
        "{said}"
    );
    // Only days of this file's rides, not every day that is buffered.
    assert!(said.contains("the file's rides by business day"), "{said}");
    assert!(
        said.contains(&format!("deloton run report --day {}", DAYS[1])),
        "{said}"
    );
    assert!(!said.contains(DAYS[0]), "{said}");

    let (_, counted) = told[1].rsplit_once(": ").unwrap();
    let counted: Vec<&str> = counted
        .split(", ")
        .map(|part| part.split(' ').next().unwrap())
        .collect();
    let status = sandbox.succeed(&["status"]);
    assert!(status.contains("second.jsonl of "), "{status}");
    let row = status
        .lines()
        .skip_while(|line| !line.contains("duplicate readings  duplicate lines  rejected lines"))
        .nth(1)
        .unwrap();
    let row: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(row[row.len() - 4..], counted, "{told:?}");

    let again = sandbox.succeed(&[
        "consume",
        "--from-file",
        &sandbox.write("renamed.jsonl", second.join("\n") + "\n"),
    ]);
    assert!(
        again.contains("taken in before") && again.ends_with(said.split_once('\n').unwrap().1),
        "{again}"
    );
}

#[test]
fn a_mail_is_sent_once_however_its_reader_is_spelt_and_again_only_when_that_is_meant() {
    let sandbox = Sandbox::with_sample();
    let mail_to = |to: &str| sandbox.succeed(&["run", "notify", "--day", DAYS[0], "--mail-to", to]);
    mail_to("ceo@deloton.example,CEO@deloton.example");
    mail_to("Ceo@Deloton.example");
    let list = sandbox.succeed(&["outbox", "list"]);
    let reports: Vec<_> = list.lines().filter(|line| line.contains("daily_report")).collect();
    assert_eq!(reports.len(), 1, "{list}");
    let id = reports[0].split_whitespace().next().unwrap();
    let waits = || sandbox.succeed(&["outbox", "list", "--state", "waiting"]).contains(id);

    assert!(sandbox.fail(&["outbox", "resend", id]).contains("--again"));
    assert!(!waits());
    sandbox.succeed(&["outbox", "unsubscribe", "ceo@deloton.example"]);
    assert!(
        sandbox
            .fail(&["outbox", "resend", "--again", id])
            .contains("resubscribe")
    );
    sandbox.succeed(&["outbox", "resubscribe", "ceo@deloton.example"]);
    sandbox.succeed(&["outbox", "resend", "--again", id]);
    assert!(waits());
}
