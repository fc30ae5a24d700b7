//! What people are told when the database cannot be opened.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{Store, StoreError, fixture};
use crate::clock::Clock;

/// The error and its causes, as they are printed.
fn refused(folder: &Path) -> (StoreError, String) {
    let error = Store::open(folder, Clock::Fixed(fixture::at(fixture::NOW)))
        .err()
        .expect("the database cannot be opened");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    (error, text)
}

#[test]
fn a_newer_database_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let store = fixture::open(&folder);
    store
        .connection()
        .unwrap()
        .execute_batch("insert into main.schema_version values (99, '2030-01-01 00:00:00+00')")
        .unwrap();
    drop(store);
    let (error, text) = refused(folder.path());
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{text}");
    assert!(
        text.contains("deloton.duckdb` has schema version 99, newer than the "),
        "{text}"
    );
}

/// Not a test of its own: the other process of the test below.
#[test]
fn hold_the_database_if_asked_to() {
    if let Some(folder) = std::env::var_os("DELOTON_TEST_HOLD") {
        let _store = Store::open(Path::new(&folder), Clock::System).unwrap();
        println!("\nheld");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
}

#[test]
fn the_holder_of_the_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::opening_tests::hold_the_database_if_asked_to",
            "--nocapture",
        ])
        .env("DELOTON_TEST_HOLD", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line == "held"));
    let (error, text) = refused(folder.path());
    assert!(matches!(error, StoreError::Held { .. }), "{text}");
    assert!(text.contains(&format!("PID {}", other.id())), "{text}");
    assert!(text.contains("deloton.duckdb` is held by another process"), "{text}");

    let backup = folder.path().join("backups/one");
    fs::create_dir_all(&backup).unwrap();
    let manifest = r#"{"schema_version":1,"program_version":"","taken_at":"2026-01-01T00:00:00Z","files":[]}"#;
    fs::write(backup.join("manifest.json"), manifest).unwrap();
    let restored = super::backup::restore(&backup, folder.path(), true, fixture::at(fixture::NOW));
    assert!(matches!(restored, Err(StoreError::Held { .. })), "{restored:?}");

    drop(other.stdin.take());
    lines.for_each(drop);
    assert!(other.wait().unwrap().success());
    drop(fixture::open(&folder));
}

#[test]
fn a_damaged_file_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deloton.duckdb");
    let store = fixture::open(&folder);
    fixture::ride(&store, "2026-01-05T09:00:00Z", 30);
    drop(store);
    let whole = fs::read(&path).unwrap();
    // Another file altogether; one cut short; one with a header that a disk turned over.
    let mut turned = whole.clone();
    turned[4096..8192 + 4096].fill(0x5a);
    for damaged in [
        b"not a database, but long enough to be read as one".repeat(200),
        whole[..5000].to_vec(),
        turned,
    ] {
        fs::write(&path, damaged).unwrap();
        let (_, text) = refused(folder.path());
        assert!(
            text.starts_with(&format!("cannot open the database `{}`", path.display())),
            "{text}"
        );
        assert!(text.contains("restore it with `deloton restore`"), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_way_out() {
    let (_, text) = refused(Path::new("/proc/deloton"));
    assert!(
        text.starts_with("cannot create the data folder `/proc/deloton`; name another with --data-dir"),
        "{text}"
    );
    // A folder that is there; nobody, not even root, may write in this one.
    let (_, text) = refused(Path::new("/proc/self"));
    assert!(
        text.starts_with("cannot write `/proc/self/deloton.duckdb`; make the data folder writable"),
        "{text}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "").unwrap();
    let (_, text) = refused(&file);
    assert!(
        text.starts_with(&format!("cannot create the data folder `{}`", file.display())),
        "{text}"
    );
}

#[test]
fn a_lake_file_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = fixture::open(&folder);
    fixture::ride(&store, "2026-01-05T09:00:00Z", 3);
    store.seal("2026-01-05".parse().unwrap()).unwrap();
    drop(store);
    fs::remove_file(folder.path().join("lake/reading/date=2026-01-05/part-0.parquet")).unwrap();
    let (_, text) = refused(folder.path());
    assert!(text.contains("lake/reading/date=2026-01-05/part-0.parquet"), "{text}");
}
