//! What analysts get: the files of the extracts, as the real program writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Cursor, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use deloton::store::Store;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    program::{DAYS, Said, Sandbox, ask, files_below, rows, sample_lines, wait_for},
    publish::Server,
};

/// When something is erased: later than the days were made.
pub(crate) const LATER: &str = "2026-05-07T08:10:00Z";

/// The columns that a ride has, in their order; workbooks go by them.
const RIDES: &str = "ride,rider,bike,business_day,started_at,ended_at,started_local,hour_of_day,weekday,gender,age_band,city,\
    postcode_area,source,end_reason,is_partial,duration_seconds,reading_count,energy_kilojoules,power_watts_mean,\
    power_watts_max,heart_rate_bpm_mean,heart_rate_bpm_min,heart_rate_bpm_max,dropout_seconds,cadence_rpm_mean,\
    cadence_rpm_max,resistance_mean,resistance_max,flagged_readings,alert_count";

const PERSONAL: &str =
    "ride_id,rider_id,bike_serial,name,email_address,address,postcode,date_of_birth,age_years,height_cm,weight_kg";

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
fn asked(sandbox: &Sandbox, sql: &str) -> Vec<String> {
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
    assert!(said.iter().all(|said| !said.contains("came after")), "{said:?}");
    sandbox.succeed(&["consume", "--from-file", &sandbox.write("late.jsonl", late.join("\n"))]);
    let told = format!("{} has rides that came after it was sealed", DAYS[0]);
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
    assert!(!said.contains("came after"), "{said}");
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
fn pseudonyms_lead_from_table_to_table_and_to_nobody() {
    let sandbox = made();
    let lost = asked(
        &sandbox,
        "select (select count(*) from 'tableau/rides/*.parquet' where rider not in (select rider from
                'tableau/riders.parquet')) as riders,
            (select count(*) from 'tableau/readings_per_minute/*.parquet' where ride not in (select ride from
                'tableau/rides/*.parquet')) as rides,
            (select count(*) from 'tableau/leaderboard/*.parquet' where rider not in (select rider from
                'tableau/rides/*.parquet')) as leaders",
    );
    assert_eq!(lost, [r#"{"riders":0,"rides":0,"leaders":0}"#]);
    let people = sandbox.rows("select distinct name, email_address, address, postcode from rider");
    let ids = sandbox.rows("select distinct ride_id::varchar as ride, bike_serial from ride");
    let words: Vec<String> = people
        .iter()
        .chain(&ids)
        .flat_map(|row| {
            let row: BTreeMap<String, Option<String>> = serde_json::from_str(row).unwrap();
            row.into_values().flatten()
        })
        .collect();
    assert!(words.len() > 100);
    let reader = Reader::new();
    let mut towns = BTreeSet::new();
    for (path, bytes) in files_below(&extracts(&sandbox)) {
        let said = reader.opened(&path, &bytes);
        let named = words
            .iter()
            .find(|word| memchr::memmem::find(&said, word.as_bytes()).is_some());
        assert_eq!(named, None, "{path}");
        if reader.finds("London", &path, &bytes) {
            towns.insert(path.rsplit('.').next().unwrap().to_owned());
        }
    }
    assert!(
        ["csv", "parquet", "twbx"].iter().all(|ending| towns.contains(*ending)),
        "what is said is seen: {towns:?}"
    );
    // Of another database they are others: nobody works them out from a number.
    let first = |sandbox: &Sandbox| {
        let csv = text(sandbox, &format!("tableau/rides/date={}.csv", DAYS[0]));
        csv.lines()
            .nth(1)
            .unwrap()
            .split(',')
            .take(3)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let other = made();
    assert!(
        first(&sandbox)
            .iter()
            .zip(&first(&other))
            .all(|(one, other)| one != other)
    );
    let before = first(&sandbox);
    fs::remove_dir_all(extracts(&sandbox)).unwrap();
    sandbox.succeed(&["extract"]);
    assert_eq!(first(&sandbox), before, "they are the same at every extract");
}

/// Opens files of the extracts.
struct Reader {
    sandbox: Sandbox,
    store: Store,
}

impl Reader {
    fn new() -> Reader {
        let sandbox = Sandbox::new();
        Reader {
            store: sandbox.store(),
            sandbox,
        }
    }

    /// Whether a file says `text`: a value of a Parquet file does, or what is packed into a workbook.
    fn finds(&self, text: &str, path: &str, bytes: &[u8]) -> bool {
        memchr::memmem::find(&self.opened(path, bytes), text.as_bytes()).is_some()
    }

    fn opened(&self, path: &str, bytes: &[u8]) -> Vec<u8> {
        if path.ends_with(".parquet") {
            let file = self.sandbox.write("opened.parquet", bytes);
            let rows = rows(&self.store, &format!("select * from read_parquet('{file}')"));
            return rows.join("\n").into_bytes();
        }
        if !path.ends_with(".twbx") {
            return bytes.to_owned();
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut contents = Vec::new();
        for index in 0..archive.len() {
            archive.by_index(index).unwrap().read_to_end(&mut contents).unwrap();
        }
        contents
    }
}

#[test]
fn personal_columns_are_in_a_folder_of_their_own_that_is_gone_when_nobody_asks_for_them() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = made();
    let plain: Vec<_> = files_below(&extracts(&sandbox))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    sandbox.succeed(&["extract", "--include-personal"]);
    let csv = text(&sandbox, &format!("personal/tableau/rides/date={}.csv", DAYS[0]));
    assert_eq!(csv.lines().next(), Some(&*format!("{RIDES},{PERSONAL}")));
    let readme = text(&sandbox, "personal/README.md");
    assert!(readme.contains("names, addresses and birth dates"), "{readme}");
    for (path, _) in files_below(&extracts(&sandbox).join("personal")) {
        let file = extracts(&sandbox).join("personal").join(&path);
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path}"
        );
    }
    let own = asked(
        &sandbox,
        &format!(
            "select count(*) as rides from '{}/personal/tableau/rides/date={}.parquet' where name is not null",
            extracts(&sandbox).display(),
            DAYS[0]
        ),
    );
    let named = sandbox.rows(&format!(
        "select count(*) as rides from historical.ride left join rider using (rider_id)
            where business_day = '{}' and name is not null",
        DAYS[0]
    ));
    assert_eq!(own, named);
    let said = sandbox.succeed(&["extract"]);
    assert!(said.contains("deleted"), "{said}");
    let left: Vec<_> = files_below(&extracts(&sandbox))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(left, plain, "and not a file more");
    assert!(!extracts(&sandbox).join("personal").exists());
}

#[test]
fn the_dictionary_says_of_every_table_what_its_files_have() {
    let sandbox = made();
    let schema: Value = serde_json::from_str(&text(&sandbox, "schema.json")).unwrap();
    let readme = text(&sandbox, "README.md");
    let tables = schema["tables"].as_array().unwrap();
    assert!(tables.len() > 18, "{}", tables.len());
    for table in tables {
        let pattern = table["csv"].as_str().unwrap().replace('*', DAYS[0]);
        let columns: Vec<_> = table["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| {
                for field in ["type", "caption", "meaning"] {
                    assert_ne!(column[field], "", "{pattern}: {column}");
                }
                assert!(
                    !column["meaning"].as_str().unwrap().starts_with("As `jobs/"),
                    "{pattern}: {column} is in no glossary"
                );
                assert_eq!(column["personal"], false, "{pattern}: {column}");
                column["name"].as_str().unwrap()
            })
            .collect();
        let csv = text(&sandbox, &pattern);
        assert_eq!(csv.lines().next(), Some(&*columns.join(",")), "{pattern}");
        let view = table["view"].as_str().unwrap();
        assert!(readme.contains(&format!("\n## {view}\n")), "{view}");
    }
}

#[test]
fn a_table_of_ones_own_comes_along_with_pseudonyms_for_ids() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "-- Mine.\n-- Grain: one row per ride.\nselect ride_id, rider_id, '=' || bike_serial as \"own, label\",\n\
         chr(9) || bike_serial as tab, [1] as list, duration_seconds\n\
         from ride where business_day = :day",
    );
    for job in ["mine", "extract"] {
        sandbox.succeed(&["run", job, "--day", DAYS[0], "--cron", &cron]);
    }
    let csv = text(&sandbox, &format!("tableau/mine/date={}.csv", DAYS[0]));
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("business_day,ride,rider,\"own, label\",tab,list,duration_seconds")
    );
    let line = lines.next().unwrap();
    assert!(line.contains(",'=SN") && line.contains(",'\tSN"), "{line}");
    let readme = text(&sandbox, "README.md");
    let (_, mine) = readme.split_once("## historical.mine\n\n").unwrap();
    assert!(mine.starts_with("One row per ride."), "{mine}");
    assert!(
        mine.contains("| The largest second of the ride |"),
        "of no other ride: {mine}"
    );
}

/// A schedule with a table `mine` that `sql` makes.
pub(crate) fn with_mine(sandbox: &Sandbox, sql: &str) -> String {
    sandbox.write("jobs/mine.sql", sql);
    let job = "\n[[job]]\nname = \"mine\"\nkind = \"transform\"\nafter = [\"compact\"]\n";
    sandbox.write("cron.toml", fs::read_to_string("cron.toml").unwrap() + job)
}

#[test]
fn ids_of_a_table_of_ones_own_are_pseudonyms_by_any_name_that_check_does_not_warn_of() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select ride_id as best, RIDER_ID as \"Rider_Id\", rider.name as \"NAME\", bike_serial as serial_of_bike,\n\
         [ride_id] as several\n\
         from ride left join rider using (rider_id) where business_day = :day",
    );
    for job in ["mine", "extract"] {
        sandbox.succeed(&["run", job, "--day", DAYS[0], "--cron", &cron]);
    }
    let csv = text(&sandbox, &format!("tableau/mine/date={}.csv", DAYS[0]));
    assert_eq!(csv.lines().next(), Some("business_day,best,rider,serial_of_bike"));
    let lost = asked(
        &sandbox,
        "select count(*) as lost from 'tableau/mine/*.parquet' where best not in (select ride from 'tableau/rides/*.parquet')",
    );
    assert_eq!(lost, [r#"{"lost":0}"#]);
    let said = sandbox.succeed(&["check", "--cron", &cron]);
    assert!(
        said.contains("`mine`: `serial_of_bike` is in the extracts as it is"),
        "{said}"
    );
    assert_eq!(said.matches("is in the extracts as it is").count(), 1, "{said}");
}

#[test]
fn a_table_that_is_taken_out_of_jobs_leaves_the_extracts() {
    let sandbox = Sandbox::with_sample();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let cron = with_mine(&sandbox, "select count(*) as rides from ride where business_day = :day");
    sandbox.succeed(&["run", "mine", "--day", DAYS[0], "--cron", &cron]);
    let bucket = server.root.path().join("site/extracts");
    let places = [extracts(&sandbox), bucket];
    let named = || -> Vec<String> {
        sandbox.succeed(&["extract"]);
        let said = with_bucket(&sandbox, &server.url, &["extract"]);
        assert!(said.status.success(), "{said:?}");
        let files = places.iter().flat_map(|place| files_below(place));
        files
            .filter(|(path, bytes)| {
                let is_text = !path.ends_with("parquet") && !path.ends_with("twbx");
                path.contains("mine") || is_text && String::from_utf8_lossy(bytes).contains("mine")
            })
            .map(|(path, _)| path)
            .collect()
    };
    let of_a_place = [
        "README.md",
        "manifest.json",
        "schema.json",
        "tableau/mine.csv",
        "tableau/mine.parquet",
        "views.sql",
    ];
    assert_eq!(named(), [of_a_place, of_a_place].concat());
    fs::remove_file(sandbox.path("jobs/mine.sql")).unwrap();
    fs::remove_file(cron).unwrap();
    assert_eq!(named(), [""; 0]);
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
fn the_script_makes_every_table_a_view_with_what_it_means() {
    let sandbox = made();
    let script =
        text(&sandbox, "views.sql").replace("'tableau/", &format!("'{}/tableau/", extracts(&sandbox).display()));
    let elsewhere = Sandbox::new();
    let store = elsewhere.store();
    // Of a store's own schemas there is nothing to be replaced.
    store
        .connection()
        .unwrap()
        .execute_batch(&format!("attach ':memory:' as analyst; use analyst; {script}"))
        .unwrap();
    let connection = store.connection().unwrap();
    let schema: Value = serde_json::from_str(&text(&sandbox, "schema.json")).unwrap();
    for table in schema["tables"].as_array().unwrap() {
        let view = table["view"].as_str().unwrap();
        let (schema, name) = view.split_once('.').unwrap();
        let comment: String = connection
            .query_row(
                "select comment from duckdb_views() where schema_name = ? and view_name = ?",
                [schema, name],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(table["grain"], *comment, "{view}");
        let rows: i64 = connection
            .query_row(
                &format!("select count(*) from analyst.{schema}.\"{name}\""),
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert!(
            rows > 0 || ["daily.", "workouts"].iter().any(|part| view.contains(part)),
            "{view}"
        );
    }
}

#[test]
fn an_erased_rider_is_in_the_extracts_no_longer_however_they_came_about() {
    let sandbox = Sandbox::with_sample();
    for day in DAYS {
        sandbox.succeed(&["run", "leaderboard", "--day", day]);
    }
    // By hand: the job knows of nothing.
    sandbox.succeed(&["extract"]);
    let of_rider = "select rider from 'tableau/riders.parquet' order by rides desc, rider limit 1";
    let rider = asked(&sandbox, of_rider)[0].split('"').nth(3).unwrap().to_owned();
    let reader = Reader::new();
    let with = |sandbox: &Sandbox, rider: &str| -> Vec<String> {
        let files = files_below(&extracts(sandbox)).into_iter();
        files
            .filter(|(path, bytes)| reader.finds(rider, path, bytes))
            .map(|(path, _)| path)
            .collect()
    };
    let named = with(&sandbox, &rider);
    let is_in = |ending: &str| named.iter().any(|path| path.ends_with(ending));
    assert!(["csv", "parquet", "twbx"].into_iter().all(is_in), "{named:?}");
    let id = sandbox.rows("select rider_id from historical.rider_total order by rides desc limit 1");
    let id: Value = serde_json::from_str(&id[0]).unwrap();
    let sandbox = sandbox.at(LATER);
    sandbox.succeed(&["erase", "--rider", &id["rider_id"].to_string()]);
    assert_eq!(with(&sandbox, &rider), [""; 0]);
}

#[test]
fn workouts_are_told_apart_by_pseudonyms_and_leave_the_extracts_with_their_rider() {
    let sandbox = Sandbox::with_sample();
    let workouts = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/sample/workouts.csv")
        .display()
        .to_string();
    for rider in ["Ann", "Bea"] {
        sandbox.succeed(&["import", "peloton", &workouts, "--rider", rider]);
    }
    sandbox.succeed(&["extract"]);
    let riders = || {
        asked(
            &sandbox,
            "select workout_rider, count(*) as workouts from 'tableau/workouts.parquet' group by all order by all",
        )
    };
    let before = riders();
    assert_eq!(before.len(), 2);
    assert!(!text(&sandbox, "tableau/workouts.csv").contains("Ann"));
    sandbox.succeed(&["import", "forget", "--rider", "Ann"]);
    let after = riders();
    assert!(after.len() == 1 && before.contains(&after[0]), "{after:?}");
}

#[test]
fn a_workout_that_is_deleted_through_the_api_leaves_the_extracts_soon() {
    let sandbox = Sandbox::with_sample();
    let workouts = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/workouts.csv");
    sandbox.succeed(&["import", "peloton", &workouts.display().to_string(), "--rider", "Ann"]);
    sandbox.succeed(&["extract"]);
    let workouts = || text(&sandbox, "tableau/workouts.csv").lines().count();
    let before = workouts();
    let id = sandbox.rows("select workout_id::varchar as id from historical.workout limit 1");
    let id = id[0].split('"').nth(3).unwrap().to_owned();
    let (server, address) = sandbox.serve(&["--source", "none"]);
    let (status, answer) = ask(&address, "DELETE", &format!("/api/v1/workouts/{id}")).unwrap();
    assert!((200..300).contains(&status), "{answer}");
    wait_for(
        "extract without the workout",
        Duration::from_secs(30),
        || server.log(),
        || (workouts() == before - 1).then_some(()),
    );
}

#[test]
fn workouts_leave_the_extracts_by_the_job_although_an_account_of_it_cannot_be_read() {
    let sandbox = Sandbox::with_sample();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/workouts.csv");
    sandbox.succeed(&["import", "peloton", &sample.display().to_string(), "--rider", "Ann"]);
    sandbox.succeed(&["extract"]);
    let workouts = || text(&sandbox, "tableau/workouts.csv").lines().count();
    let before = workouts();
    let id = sandbox.rows("select workout_id::varchar as id from historical.workout limit 1");
    let id = id[0].split('"').nth(3).unwrap().parse().unwrap();
    assert!(sandbox.store().delete_workout(id, true).unwrap());
    let job = "\n[[job]]\nname = \"peloton\"\nkind = \"peloton\"\ncron = \"40 * * * *\"\ntimeout = \"2h\"\nretries = 0\n\
        catch_up = \"last\"\noverlap = \"skip\"\n\
        params = { accounts = [{ rider = \"Ann\", token_file = \"missing.json\" }] }\n";
    let cron = sandbox.write("cron.toml", fs::read_to_string("cron.toml").unwrap() + job);
    let said = sandbox.fail(&["run", "peloton", "--cron", &cron]);
    assert!(said.contains("of account 1 not all workouts"), "{said}");
    assert_eq!(workouts(), before - 1);
}

#[test]
fn what_the_readme_asks_duckdb_is_answered_from_the_script() {
    let sandbox = made();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, line) = readme.split_once("duckdb -init views.sql -c \"").unwrap();
    let sql = line
        .split('"')
        .next()
        .unwrap()
        .replace("historical.", "analyst.historical.");
    let elsewhere = Sandbox::new();
    let store = elsewhere.store();
    let script =
        text(&sandbox, "views.sql").replace("'tableau/", &format!("'{}/tableau/", extracts(&sandbox).display()));
    store
        .connection()
        .unwrap()
        .execute_batch(&format!(
            "attach ':memory:' as analyst; use analyst; {script}; use deloton"
        ))
        .unwrap();
    let mut answered = rows(&store, &sql);
    answered.sort();
    assert_eq!(
        answered,
        sandbox.rows(
            "select coalesce(rider.gender, 'unknown') as gender, count(*) as rides from ride left join rider using (rider_id)
                group by all order by all"
        )
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
