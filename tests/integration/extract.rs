//! What analysts get: the files of the extracts, as the real program writes them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::runtime::Runtime;

use crate::{
    program::{DAYS, Said, Sandbox, files_below, rows, sample_lines, wait_for},
    publish::Server,
};

/// When something is erased: later than the days were made.
pub(crate) const LATER: &str = "2026-05-07T08:10:00Z";

/// The columns that a ride has, in their order; workbooks go by them.
pub(crate) const RIDES: &str = "\
    ride,rider,bike,business_day,started_at,ended_at,started_local,hour_of_day,weekday,gender,age_band,city,\
    postcode_area,source,end_reason,is_partial,duration_seconds,reading_count,energy_kilojoules,power_watts_mean,\
    power_watts_max,heart_rate_bpm_mean,heart_rate_bpm_min,heart_rate_bpm_max,dropout_seconds,cadence_rpm_mean,\
    cadence_rpm_max,resistance_mean,resistance_max,flagged_readings,alert_count";

/// The sample with its days made.
pub(crate) fn made() -> Sandbox {
    let sandbox = Sandbox::with_sample();
    for day in DAYS {
        sandbox.succeed(&["run", "extract", "--day", day]);
    }
    sandbox
}

pub(crate) fn extracts(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("data/extracts")
}

pub(crate) fn text(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(extracts(sandbox).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the extracts' Parquet files say; they are asked from a database that is not the program's.
pub(crate) fn asked(sandbox: &Sandbox, sql: &str) -> Vec<String> {
    let sql = sql.replace("'tableau/", &format!("'{}/tableau/", extracts(sandbox).display()));
    rows(&Sandbox::new().store(), &sql)
}

/// When each file was written.
pub(crate) fn stamps(sandbox: &Sandbox) -> BTreeMap<String, SystemTime> {
    let folder = extracts(sandbox);
    let stamp = |path: &str| fs::metadata(folder.join(path)).unwrap().modified().unwrap();
    files_below(&folder)
        .into_iter()
        .map(|(path, _)| (path.clone(), stamp(&path)))
        .collect()
}

/// A schedule with a table `mine` that `sql` makes.
pub(crate) fn with_mine(sandbox: &Sandbox, sql: &str) -> String {
    sandbox.write("jobs/mine.sql", sql);
    let job = "\n[[job]]\nname = \"mine\"\nkind = \"transform\"\nafter = [\"compact\"]\n";
    sandbox.write("cron.toml", fs::read_to_string("cron.toml").unwrap() + job)
}

#[test]
fn rides_are_a_csv_and_a_parquet_file_a_day_that_say_the_same() {
    let sandbox = made();
    let figures = RIDES
        .split(',')
        .filter(|column| column.ends_with("_mean") || ["energy_kilojoules", "power_watts_max"].contains(column))
        .map(|column| format!("{column}::decimal(18, 3) as {column}"))
        .collect::<Vec<_>>()
        .join(", ");
    for day in DAYS {
        let csv = text(&sandbox, &format!("tableau/rides/date={day}.csv"));
        assert_eq!(csv.lines().next(), Some(RIDES));
        let of = |ending: &str| {
            let read = if ending == "csv" { "read_csv" } else { "read_parquet" };
            let sql = format!(
                "select * replace (left(started_at::varchar, 19) as started_at, left(ended_at::varchar, 19) as ended_at, \
                 {figures}) from {read}('tableau/rides/date={day}.{ending}')"
            );
            asked(&sandbox, &sql)
        };
        let rows = of("parquet");
        assert!(rows.len() > 10 && rows == of("csv"), "{rows:?}");
    }
    let database = "select business_day, count(*) as rides, sum(duration_seconds)::bigint as seconds,
        round(sum(energy_kilojoules), 3) as kilojoules";
    assert_eq!(
        asked(
            &sandbox,
            &format!("{database} from 'tableau/rides/*.parquet' group by all order by all")
        ),
        sandbox.rows(&format!("{database} from historical.ride group by all order by all"))
    );
    let minutes = "select sum(reading_count)::bigint as readings, round(sum(energy_kilojoules), 3) as kilojoules";
    assert_eq!(
        asked(&sandbox, &format!("{minutes} from 'tableau/readings_per_minute/*.parquet'")),
        sandbox.rows("select sum(reading_count)::bigint as readings, round(sum(energy_kilojoules), 3) as kilojoules from historical.ride"),
    );
}

#[test]
fn a_second_extract_says_that_nothing_is_new_and_touches_no_file() {
    let sandbox = made();
    let before = stamps(&sandbox);
    let said = sandbox.succeed(&["extract"]);
    assert!(said.starts_with("nothing is new since the last extract"), "{said}");
    assert_eq!(stamps(&sandbox), before);
    let said = sandbox.succeed(&["extract", "--day", DAYS[0]]);
    assert!(said.contains(" written ("), "{said}");
    let changed: Vec<_> = stamps(&sandbox)
        .into_iter()
        .filter(|(path, at)| before.get(path) != Some(at) && path != "manifest.json")
        .map(|(path, _)| path)
        .collect();
    assert!(
        changed.len() >= 6 && changed.iter().all(|path| path.contains(DAYS[0])),
        "{changed:?}"
    );
    let said = sandbox.fail(&["extract", "--day", "2026-05-07"]);
    assert!(said.contains("2026-05-07 is not sealed"), "{said}");
}

#[test]
fn rides_that_came_late_are_told_of_until_their_day_is_sealed_again() {
    let lines = sample_lines();
    let headers: Vec<_> = (1..lines.len()).filter(|at| lines[*at].contains("user_id")).collect();
    let (early, late) = lines.split_at(headers[headers.len() / 4]);
    let sandbox = Sandbox::new();
    sandbox.succeed(&[
        "consume",
        "--from-file",
        &sandbox.write("early.jsonl", early.join("\n")),
    ]);
    let said = [
        sandbox.succeed(&["run", "extract", "--day", DAYS[0]]),
        sandbox.succeed(&["extract"]),
    ];
    assert!(
        said.iter().all(|said| !said.contains("since it was sealed")),
        "{said:?}"
    );
    sandbox.succeed(&["consume", "--from-file", &sandbox.write("late.jsonl", late.join("\n"))]);
    let told = format!("{} has changed since it was sealed", DAYS[0]);
    for arguments in [&["extract"][..], &["extract", "--all"]] {
        let said = sandbox.succeed(arguments);
        assert!(said.contains(&told), "{said}");
    }
    let count = || {
        text(&sandbox, &format!("tableau/rides/date={}.csv", DAYS[0]))
            .lines()
            .count()
    };
    let before = count();
    sandbox.succeed(&["run", "extract", "--day", DAYS[0]]);
    assert!(count() > before, "{} lines, and {before} before", count());
    let said = sandbox.succeed(&["extract"]);
    assert!(!said.contains("since it was sealed"), "{said}");
}

#[test]
fn a_day_that_is_made_again_is_written_again_and_the_other_one_is_not() {
    let sandbox = made();
    let before = stamps(&sandbox);
    let of_day = |day: &str| format!("tableau/rides/date={day}.csv");
    let count = |day: &str| text(&sandbox, &of_day(day)).lines().count();
    let rides = DAYS.map(count);
    let ride = sandbox.rows(&format!(
        "select ride_id from historical.ride where business_day = '{}' limit 1",
        DAYS[1]
    ));
    let ride = ride[0].split('"').nth(3).unwrap().to_owned();
    let sandbox = sandbox.at(LATER);
    let count = |day: &str| text(&sandbox, &of_day(day)).lines().count();
    sandbox.succeed(&["erase", "--ride", &ride]);
    assert_eq!(DAYS.map(count), [rides[0], rides[1] - 1]);
    let after = stamps(&sandbox);
    assert_eq!(after[&of_day(DAYS[0])], before[&of_day(DAYS[0])]);
    assert_ne!(after[&of_day(DAYS[1])], before[&of_day(DAYS[1])]);
    assert_ne!(after["tableau/riders.parquet"], before["tableau/riders.parquet"]);
    for file in ["daily_totals.csv", "deloton-leaderboards.twbx", "deloton-rides.twbx"] {
        let file = format!("tableau/{file}");
        assert_ne!(after[&file], before[&file], "{file}");
    }
}

#[test]
fn whole_numbers_of_any_length_are_exact_and_what_is_no_number_is_empty() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select max(18446744073709551615::ubigint) as unsigned, sum(9223372036854775807) as added,\n\
         max(-12345678901234567890123456789012345678::hugeint) as long,\n\
         'nan'::double as none, any_value(-'inf'::float) as least\nfrom ride where business_day = :day",
    );
    for job in ["mine", "extract"] {
        sandbox.succeed(&["run", job, "--day", DAYS[0], "--cron", &cron]);
    }
    let expected = "18446744073709551615,{sum},-12345678901234567890123456789012345678";
    let rides = sandbox.rows(&format!(
        "select count(*)::bigint from ride where business_day = '{}'",
        DAYS[0]
    ));
    let rides: i128 = rides[0]
        .trim_matches(|letter: char| !letter.is_ascii_digit())
        .parse()
        .unwrap();
    let expected = expected.replace("{sum}", &(rides * i128::from(i64::MAX)).to_string());
    let csv = text(&sandbox, "tableau/mine.csv");
    assert_eq!(csv.lines().nth(1), Some(&*format!("{},{expected},,", DAYS[0])));
    let parquet = asked(
        &sandbox,
        "select concat_ws(',', business_day, unsigned, added, long) as row from 'tableau/mine.parquet'",
    );
    assert_eq!(parquet, [format!(r#"{{"row":"{},{expected}"}}"#, DAYS[0])]);
}

#[test]
fn what_a_spreadsheet_would_calculate_is_text_in_csv_and_as_it_was_in_parquet() {
    let sandbox = Sandbox::new();
    let towns = ["=1+1", "+1", "-1", "@x"];
    let mut towns_left = towns.iter();
    let lines: Vec<String> = sample_lines()
        .into_iter()
        .map(
            |line| match line.contains("user_id").then(|| towns_left.next()).flatten() {
                Some(town) => with_source(&line, town),
                None => line,
            },
        )
        .collect();
    sandbox.succeed(&["consume", "--from-file", &sandbox.write("odd.jsonl", lines.join("\n"))]);
    for day in DAYS {
        sandbox.succeed(&["run", "extract", "--day", day]);
    }
    let sources = |files: &str| {
        asked(
            &sandbox,
            &format!("select distinct source from {files} where not regexp_matches(source, '^[a-z]') order by all"),
        )
    };
    let was = sources("read_parquet('tableau/rides/*.parquet')");
    let is = sources("read_csv('tableau/rides/*.csv', all_varchar = true)");
    assert_eq!(was.len(), 4, "{was:?}");
    let defused: Vec<_> = was.iter().map(|row| row.replacen(":\"", ":\"'", 1)).collect();
    assert_eq!(is, defused);
}

/// A header with another word for how its rider came.
fn with_source(line: &str, source: &str) -> String {
    let name = "\\\"original_source\\\":\\\"";
    let at = line
        .find(name)
        .map(|at| at + name.len())
        .unwrap_or_else(|| panic!("{line}"));
    let end = at + line[at..].find("\\\"").unwrap();
    format!("{}{source}{}", &line[..at], &line[end..])
}

#[test]
fn rides_of_a_day_that_goes_on_are_in_the_schema_of_such_days() {
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "compact", "--day", DAYS[0]]);
    sandbox.succeed(&["extract"]);
    let counted = |sql: &str| asked(&sandbox, sql);
    assert_eq!(
        counted("select business_day, count(*) as rides from 'tableau/daily/rides.parquet' group by all"),
        sandbox.rows(&format!(
            "select business_day, count(*) as rides from ride where business_day = '{}' group by all",
            DAYS[1]
        ))
    );
    assert_eq!(
        counted("select sum(reading_count)::bigint as readings from 'tableau/daily/readings_per_minute.parquet'"),
        sandbox.rows(&format!(
            "select sum(reading_count)::bigint as readings from ride where business_day = '{}'",
            DAYS[1]
        ))
    );
    sandbox.succeed(&["run", "extract", "--day", DAYS[1]]);
    assert_eq!(
        counted("select count(*) as rides from 'tableau/daily/rides.parquet'"),
        [r#"{"rides":0}"#]
    );
}

#[test]
fn extracts_are_refused_a_place_that_everybody_reads() {
    let sandbox = Sandbox::with_sample();
    fs::create_dir_all(sandbox.path("data/site")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("data/site"), sandbox.path("shared")).unwrap();
    for place in [
        "data/site/extracts",
        "data",
        "shared/extracts",
        "data/../data/site/extracts",
    ] {
        let said = sandbox.fail(&["extract", "--to", place]);
        assert!(said.contains("must not be below the published site"), "{said}");
    }
    for setting in ["--to", "--data-dir"] {
        let said = sandbox.fail(&["extract", setting, "~/extracts"]);
        assert!(said.contains("write the path in full"), "{said}");
    }
    for place in ["", "s3:/bucket", "s3://", "https://bucket"] {
        let said = sandbox.fail(&["extract", "--to", place]);
        assert!(
            said.contains("expected") && said.contains("`s3://bucket/prefix`"),
            "{place}: {said}"
        );
    }
}

#[test]
fn what_somebody_else_wrote_is_not_written_over() {
    let sandbox = Sandbox::with_sample();
    for path in ["project/README.md", "work/tableau/riders.csv"] {
        let of_others = sandbox.write(path, "mine");
        let (place, name) = path.split_once('/').unwrap();
        let said = sandbox.fail(&["extract", "--to", place]);
        assert!(said.contains(&format!("there is a `{name}` in ")), "{said}");
        assert_eq!(fs::read_to_string(of_others).unwrap(), "mine");
        assert_eq!(fs::read_dir(sandbox.path(place)).unwrap().count(), 1, "{path} alone");
    }
}

#[test]
fn a_server_extracts_the_days_that_it_makes_up_for_and_nobody_extracts_one_that_goes_on() {
    let sandbox = Sandbox::with_sample();
    let said = sandbox.fail(&["run", "extract", "--day", "2026-05-07"]);
    assert!(said.contains("2026-05-07"), "{said}");
    assert_eq!(sandbox.rows("select business_day from ops.sealed_day"), [""; 0]);
    let (server, _) = sandbox.serve(&["--source", "none"]);
    for day in DAYS {
        let file = extracts(&sandbox).join(format!("tableau/rides/date={day}.csv"));
        wait_for(
            "extract of a day that nobody asked for",
            Duration::from_secs(60),
            || server.log(),
            || file.exists().then_some(()),
        );
    }
}

/// Runs a command whose extracts are in the bucket at `url`.
pub(crate) fn with_bucket(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Said {
    sandbox.run_with_buckets(url, &[arguments, &["--extracts", "s3://site/extracts"]].concat())
}

#[test]
fn a_bucket_has_the_same_files_as_a_folder_and_loses_what_is_erased() {
    let sandbox = made();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let said = with_bucket(&sandbox, &server.url, &["extract", "--include-personal"]);
    assert!(said.status.success(), "{said:?}");
    let in_bucket = || {
        let files = files_below(&server.root.path().join("site/extracts")).into_iter();
        files.collect::<BTreeMap<_, _>>()
    };
    let is_table = |path: &str| path.starts_with("tableau/");
    let tables = |files: BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        files.into_iter().filter(|(path, _)| is_table(path)).collect()
    };
    let there = in_bucket();
    assert!(there.contains_key("personal/tableau/riders.csv"));
    let views = String::from_utf8(there["views.sql"].clone()).unwrap();
    assert!(
        views.contains("'s3://site/extracts/tableau/rides/date=*.parquet'"),
        "{views}"
    );
    let expected = files_below(&extracts(&sandbox)).into_iter().collect();
    assert!(tables(there) == tables(expected));
    let said = with_bucket(&sandbox, &server.url, &["extract"]);
    assert!(said.out.contains("deleted"), "{said:?}");
    assert!(!in_bucket().keys().any(|path| path.starts_with("personal/")));
    let said = with_bucket(&sandbox, &server.url, &["extract"]);
    assert!(said.out.starts_with("nothing is new"), "{said:?}");
    let count = || in_bucket()[&format!("tableau/rides/date={}.csv", DAYS[0])].len();
    let before = count();
    let ride = sandbox.rows(&format!(
        "select ride_id from historical.ride where business_day = '{}' limit 1",
        DAYS[0]
    ));
    let ride = ride[0].split('"').nth(3).unwrap().to_owned();
    let sandbox = sandbox.at(LATER);
    let said = with_bucket(&sandbox, &server.url, &["erase", "--ride", &ride]);
    assert!(said.status.success(), "{said:?}");
    assert!(count() < before);
    assert!(
        Path::new(&sandbox.path("data/extracts/manifest.json")).exists(),
        "the folder is another place"
    );
}
