//! What extracts tell of persons: pseudonyms, personal columns, and what is erased or deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Cursor, Read as _},
    path::Path,
    time::Duration,
};

use deloton::store::Store;
use serde_json::Value;

use crate::{
    extract::{LATER, RIDES, asked, extracts, made, text, with_mine},
    program::{DAYS, Sandbox, ask, files_below, rows, wait_for},
};

const PERSONAL: &str =
    "ride_id,rider_id,bike_serial,name,email_address,address,postcode,date_of_birth,age_years,height_cm,weight_kg";

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
fn ids_of_a_table_of_ones_own_are_pseudonyms_by_any_name_that_check_does_not_warn_of() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select ride_id as best, upper(ride_id::varchar) as said, 'md5 ' || md5('a') as note, RIDER_ID as \"Rider_Id\", rider.name as \"NAME\", bike_serial as serial_of_bike,\n\
         [ride_id] as several, [upper(ride_id::varchar)] as texts, to_json([ride_id]) as json,\n\
         'rides: ' || ride_id as sentence, [rank() over ()] as numbers\n\
         from ride left join rider using (rider_id) where business_day = :day",
    );
    for job in ["mine", "extract"] {
        sandbox.succeed(&["run", job, "--day", DAYS[0], "--cron", &cron]);
    }
    let csv = text(&sandbox, &format!("tableau/mine/date={}.csv", DAYS[0]));
    assert_eq!(
        csv.lines().next(),
        Some("business_day,best,said,note,rider,serial_of_bike,texts,json,sentence,numbers")
    );
    let lost = asked(
        &sandbox,
        "select count(*) as lost from 'tableau/mine/*.parquet'
         where best not in (select ride from 'tableau/rides/*.parquet') or said <> best or note not like 'md5 %'
            or coalesce(texts, json, sentence) is not null or numbers not like '[%]'",
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
