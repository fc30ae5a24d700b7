//! Extracts on a bad day: cut short wherever they may be, without room to write, with a `hyperd` that is broken, and with others who
//! write to the same place.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use crate::{
    extract::{LATER, extracts, made, text, with_bucket, with_mine},
    program::{DAYS, Sandbox, files_below},
    publish::Server,
};

type Files = BTreeMap<String, Vec<u8>>;

/// Those of a folder, but what was written aside.
fn files(folder: &Path) -> Files {
    let files = files_below(folder).into_iter();
    files.filter(|(path, _)| !path.starts_with("_aside")).collect()
}

/// That what the manifest of a folder says is so: each hash is that of the file, and there is no file that it does not name.
#[track_caller]
fn assert_as_the_manifest_says(files: &Files, after: &str) {
    let Some(manifest) = files.get("manifest.json") else {
        assert!(files.is_empty(), "{after}: {:?}", files.keys());
        return;
    };
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let named = manifest["files"].as_object().unwrap();
    for (path, file) in named {
        let sha256 = file["sha256"].as_str().unwrap();
        if !sha256.is_empty() {
            let bytes = files
                .get(path)
                .unwrap_or_else(|| panic!("{after}: {path} is named and not there"));
            let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sha256, found, "{after}: {path}");
        }
    }
    let of_tree = |path: &&String| *path != "manifest.json" && !path.starts_with("personal/");
    for path in files.keys().filter(of_tree) {
        assert!(named.contains_key(path), "{after}: {path} is there and not named");
    }
}

#[test]
fn an_extract_that_is_killed_leaves_whole_files_and_the_next_one_brings_it_to_its_end() {
    let sandbox = made();
    let folder = extracts(&sandbox);
    let whole = files(&folder);
    let points: [(&str, PathBuf); 6] = [
        ("before anything", folder.join("_aside")),
        ("once it is announced", folder.join("manifest.json")),
        ("with a day", folder.join(format!("tableau/rides/date={}.csv", DAYS[1]))),
        ("with a table", folder.join("tableau/daily_totals.csv")),
        ("with a workbook", folder.join("tableau/deloton-rides.twbx")),
        ("among personal files", folder.join("personal/tableau/riders.csv")),
    ];
    for (point, file) in points {
        // What an earlier one left is not to be taken for that of this one.
        fs::remove_dir_all(&folder).unwrap();
        let mut extract = sandbox.start(&["extract", "--all", "--include-personal"]);
        let patience = Instant::now();
        while !file.exists() {
            assert!(
                patience.elapsed() < Duration::from_secs(60),
                "{point}: {}",
                extract.log()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(extract.kill(), "{point}: it was over before it was killed");
        let left = files(&folder);
        for (path, bytes) in &left {
            let is_other = path.starts_with("personal/") || path == "manifest.json";
            assert!(is_other || whole.get(path) == Some(bytes), "{point}: {path}");
        }
        assert_as_the_manifest_says(&left, point);
        assert_as_the_manifest_says(&files(&folder.join("personal")), point);
    }
    sandbox.succeed(&["extract"]);
    assert!(files(&folder) == whole, "nothing is left of what was asked for then");
}

#[test]
fn wherever_an_extract_into_a_bucket_is_cut_short_its_manifest_is_right() {
    let sandbox = Sandbox::with_sample();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let cron = with_mine(&sandbox, "select count(*) as rides from ride where business_day = :day");
    sandbox.succeed(&["run", "mine", "--day", DAYS[0], "--cron", &cron]);
    let said = with_bucket(&sandbox, &server.url, &["extract"]);
    assert!(said.status.success(), "{said:?}");
    // What is there is replaced, something is new, and something is to go.
    sandbox.succeed(&["run", "daily_totals", "--day", DAYS[1]]);
    fs::remove_file(sandbox.path("jobs/mine.sql")).unwrap();
    fs::remove_file(cron).unwrap();
    let root = server.root.path();
    let before = files_below(root);
    let in_bucket = || files(&root.join("site/extracts"));
    let mut cut_short = 0;
    for allowed in (0..6).chain((6..).step_by(5)) {
        for (path, _) in files_below(root) {
            fs::remove_file(root.join(path)).unwrap();
        }
        for (path, bytes) in &before {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), bytes).unwrap();
        }
        *server.watch.allowed.lock().unwrap() = Some(allowed);
        let said = with_bucket(&sandbox, &server.url, &["extract"]);
        *server.watch.allowed.lock().unwrap() = None;
        assert_as_the_manifest_says(&in_bucket(), &format!("after {allowed} writes"));
        if said.status.success() {
            break;
        }
        cut_short += 1;
        assert!(said.err.contains("s3:PutObject"), "{said:?}");
    }
    assert!(cut_short > 8, "{cut_short}");
    sandbox.succeed(&["extract"]);
    let of_tables = |files: Files| -> Files {
        files
            .into_iter()
            .filter(|(path, _)| path.starts_with("tableau/"))
            .collect()
    };
    assert!(of_tables(in_bucket()) == of_tables(files(&extracts(&sandbox))));
}

#[test]
fn a_table_that_cannot_be_written_is_named_and_holds_up_neither_the_others_nor_an_erasure() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select max(ride_id)::varchar as newest, 1::hugeint as large from ride where business_day = :day",
    );
    for job in ["mine", "extract"] {
        sandbox.succeed(&["run", job, "--day", DAYS[0], "--cron", &cron]);
    }
    assert!(extracts(&sandbox).join("tableau/mine.csv").exists());
    // More than any type of a file holds.
    let too_large = "update historical.mine set large = 170141183460469231731687303715884105727";
    sandbox.store().connection().unwrap().execute_batch(too_large).unwrap();
    sandbox.succeed(&["run", "compact", "--day", DAYS[1], "--cron", &cron]);
    let said = sandbox.fail(&["extract", "--cron", &cron]);
    assert!(
        said.contains("not all of the extracts could be written: `mine` ("),
        "{said}"
    );
    let rides = |sandbox: &Sandbox, day: &str| text(sandbox, &format!("tableau/rides/date={day}.csv")).lines().count();
    let before = rides(&sandbox, DAYS[1]);
    assert!(before > 10);
    let manifest: Value = serde_json::from_str(&text(&sandbox, "manifest.json")).unwrap();
    assert!(manifest["files"]["tableau/mine.csv"].is_null());
    assert!(
        !extracts(&sandbox).join("tableau/mine.parquet").exists(),
        "it may be of somebody who is erased"
    );
    let ride = sandbox.rows(&format!(
        "select ride_id from historical.ride where business_day = '{}' limit 1",
        DAYS[1]
    ));
    let ride = ride[0].split('"').nth(3).unwrap().to_owned();
    let sandbox = sandbox.at(LATER);
    sandbox.succeed(&["erase", "--ride", &ride, "--cron", &cron]);
    assert_eq!(rides(&sandbox, DAYS[1]), before - 1);
}

#[test]
fn a_file_that_there_is_no_room_for_ends_the_extract_and_takes_nothing_away() {
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select repeat('x', 4_000_000) as large from ride where business_day = :day limit 1",
    );
    sandbox.succeed(&["run", "mine", "--day", DAYS[0], "--cron", &cron]);
    sandbox.succeed(&["extract"]);
    let before = files(&extracts(&sandbox));
    assert!(before.contains_key("tableau/mine.csv"));
    // As a quota does it, which the system words in another way than a disk that is full.
    let extract = sandbox.command(&["extract", "--all"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"])
        .arg(extract.get_program())
        .args(extract.get_args())
        .current_dir(extract.get_current_dir().unwrap());
    for (name, _) in extract.get_envs() {
        limited.env_remove(name);
    }
    let said = limited.output().unwrap();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(
        error.contains("the rows of `mine`") && error.contains("File too large"),
        "{error}"
    );
    let after = files(&extracts(&sandbox));
    assert_as_the_manifest_says(&after, "without room");
    for (path, bytes) in before.iter().filter(|(path, _)| *path != "manifest.json") {
        assert!(after.get(path) == Some(bytes), "{path}");
    }
}

#[test]
fn a_hyperd_that_does_not_start_is_told_of_and_all_else_is_written() {
    let sandbox = made();
    let whole = files(&extracts(&sandbox));
    fs::remove_dir_all(extracts(&sandbox)).unwrap();
    let hyperd = sandbox.write("hyperd", "#!/bin/sh\necho no room for me\nexit 3\n");
    fs::set_permissions(&hyperd, fs::Permissions::from_mode(0o755)).unwrap();
    let said = sandbox.fail(&["extract", "--hyperd", "hyperd"]);
    for words in [
        "hyperd run` was tried",
        "exit status: 3",
        "“no room for me”",
        "all else is",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(files(&extracts(&sandbox)) == whole);
    let said = sandbox.succeed(&["extract"]);
    assert!(said.starts_with("nothing is new"), "{said}");
}

#[test]
fn extracts_of_another_database_are_not_written_over() {
    let (one, other) = (made(), made());
    one.succeed(&["extract", "--include-personal"]);
    let before = files(&extracts(&one));
    let place = extracts(&one).display().to_string();
    let said = other.fail(&["extract", "--to", &place]);
    assert!(said.contains("those of another database"), "{said}");
    assert!(files(&extracts(&one)) == before);
    // What is deleted from that one's database is not in them.
    let workouts = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/workouts.csv");
    let workouts = workouts.display().to_string();
    other.succeed(&["import", "peloton", &workouts, "--rider", "Ann", "--extracts", &place]);
    other.succeed(&["import", "forget", "--rider", "Ann", "--extracts", &place]);
}

#[test]
fn a_manifest_that_names_files_elsewhere_is_damaged_and_nothing_is_deleted() {
    let sandbox = made();
    let manifest = text(&sandbox, "manifest.json");
    for path in [
        sandbox.write("absolute", "mine"),
        "../mine".to_owned(),
        "tableau/../../mine".to_owned(),
    ] {
        sandbox.write("data/mine", "mine");
        let with_it = manifest.replacen("\"files\": {", &format!("\"files\": {{ \"{path}\": {{}},"), 1);
        sandbox.write("data/extracts/manifest.json", with_it);
        let said = sandbox.fail(&["extract"]);
        assert!(said.contains("is damaged") && said.contains(&path), "{said}");
        assert!(sandbox.path("data/mine").exists() && sandbox.path("absolute").exists());
    }
    sandbox.write("data/extracts/manifest.json", manifest);
    sandbox.succeed(&["extract"]);
}

#[test]
fn a_setting_that_a_running_server_would_not_go_by_is_refused() {
    let sandbox = made();
    let (server, _) = sandbox.serve(&["--source", "none"]);
    let said = sandbox.fail(&["extract", "--hyperd", "hyperd", "--log", "info"]);
    assert!(
        said.contains("with the settings that it was started with") && said.contains("leave out --hyperd,"),
        "{said}"
    );
    let data_dir = sandbox.data().display().to_string();
    sandbox.succeed(&["extract", "--data-dir", &data_dir]);
    drop(server);
}

#[test]
fn a_bucket_that_is_out_of_reach_is_said_to_be_so() {
    let sandbox = made();
    let nobody = format!("http://{}", crate::program::free_address());
    let said = with_bucket(&sandbox, &nobody, &["extract"]);
    let expected = format!("` could not be reached at `{nobody}` while reading `manifest.json`; check the network");
    assert!(
        said.err.contains(&expected) && !said.err.contains("DispatchFailure"),
        "{said:?}"
    );
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    server.watch.throttled_tries.store(usize::MAX, Ordering::SeqCst);
    let said = with_bucket(&sandbox, &server.url, &["extract"]);
    assert!(
        said.err.contains("` asked to slow down while reading `manifest.json`"),
        "{said:?}"
    );
}
