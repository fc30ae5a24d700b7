//! What extracts say of themselves: the dictionary, the script of views, and tables of one's own.

use std::{fs, path::Path};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    extract::{extracts, made, text, with_bucket, with_mine},
    program::{DAYS, Sandbox, files_below, rows},
    publish::Server,
};

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
