use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt as _};

use chrono::TimeDelta;

use super::*;
use crate::{
    clock::Clock,
    domain::ride::EndReason,
    store::fixture::{NOW, Told, at, number, open, ride, seen, stream},
};

/// A store with a sealed and pruned day, a sealed day, a finished ride, an open ride and a report.
fn lived_in(folder: &tempfile::TempDir) -> (Store, Told) {
    let store = open(folder);
    ride(&store, "2026-01-04T09:00:00Z", 30);
    ride(&store, "2026-01-05T09:00:00Z", 20);
    for day in ["2026-01-04", "2026-01-05"] {
        store.seal(day.parse().unwrap()).unwrap();
    }
    store.prune("2026-01-04".parse().unwrap()).unwrap();
    ride(&store, "2026-01-06T09:00:00Z", 10);
    let mut under_way = Told::new("2026-01-06T10:00:00Z");
    under_way.flush(&store, 5, TimeDelta::zero(), None);
    fs::create_dir_all(folder.path().join("reports/2026-01-05")).unwrap();
    fs::write(folder.path().join("reports/2026-01-05/report.json"), "{}").unwrap();
    (store, under_way)
}

fn again(folder: &Path) -> Store {
    Store::open(folder, Clock::Fixed(at(NOW))).unwrap()
}

#[test]
fn a_backup_holds_what_was_there_and_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut under_way) = lived_in(&folder);
    let before = seen(&store);
    let positions = store.positions(&stream()).unwrap();
    let backup = store.backup(&store.backups_folder()).unwrap();
    assert_eq!(backup.folder, folder.path().join("backups/2026-01-10T12-00-00Z"));
    let mode = fs::metadata(&backup.folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others read in it who rides");
    // What happens afterwards is not in it.
    let mut told_again = under_way.clone();
    under_way.flush(&store, 7, TimeDelta::zero(), Some(EndReason::Marker));
    store.seal("2026-01-06".parse().unwrap()).unwrap();
    let later = seen(&store);

    let elsewhere = tempfile::tempdir().unwrap();
    let restored = restore(&backup.folder, elsewhere.path(), false, at(NOW)).unwrap();
    assert_eq!((restored.moved_aside, &restored.manifest), (None, &backup.manifest));
    assert_eq!(
        fs::read_to_string(elsewhere.path().join("reports/2026-01-05/report.json")).unwrap(),
        "{}"
    );
    let copy = again(elsewhere.path());
    assert_eq!(seen(&copy), before);
    assert_eq!(copy.positions(&stream()).unwrap(), positions);
    // Told again what came after the backup, it gets to where the first one is.
    told_again.flush(&copy, 7, TimeDelta::zero(), Some(EndReason::Marker));
    copy.seal("2026-01-06".parse().unwrap()).unwrap();
    assert_eq!(seen(&copy), later);
    // Rules that guard the ledgers are kept: one row a job for ever.
    let twice = "insert into ops.job values ('compact', now(), 0, null), ('compact', now(), 0, null)";
    assert!(copy.connection().unwrap().execute_batch(twice).is_err());
}

#[test]
fn a_backup_taken_while_readings_are_written_is_one_instants() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut under_way) = lived_in(&folder);
    let backups = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..60 {
                under_way.flush(&store, 50, TimeDelta::zero(), None);
            }
        });
        let backups: Vec<_> =
            std::iter::from_fn(|| (!writing.is_finished()).then(|| store.backup(&store.backups_folder()).unwrap()))
                .collect();
        writing.join().unwrap();
        backups
    });
    assert!(!backups.is_empty());
    for backup in backups {
        let elsewhere = tempfile::tempdir().unwrap();
        restore(&backup.folder, elsewhere.path(), false, at(NOW)).unwrap();
        let copy = again(elsewhere.path());
        let counted = number(&copy, "select sum(reading_count)::bigint from ride");
        assert_eq!(number(&copy, "select count(*) from reading"), counted);
        let open = number(&copy, "select reading_count from ride where ended_at is null");
        assert_eq!(
            copy.positions(&stream()).unwrap()[0].next_offset,
            2 * open,
            "the offset belongs to the rows"
        );
    }
}

#[test]
fn a_restore_over_something_moves_it_aside_when_told_to_and_keeps_the_backups() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = lived_in(&folder);
    let before = seen(&store);
    let backup = store.backup(&store.backups_folder()).unwrap();
    ride(&store, "2026-01-07T09:00:00Z", 10);
    let later = seen(&store);
    drop(store);
    let refused = restore(&backup.folder, folder.path(), false, at(NOW))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("is not empty: there is `deloton.duckdb`; say --replace"),
        "{refused}"
    );
    let restored = restore(&backup.folder, folder.path(), true, at(NOW)).unwrap();
    assert_eq!(seen(&again(folder.path())), before);
    let aside = restored.moved_aside.unwrap();
    assert_eq!(aside, folder.path().join("replaced-2026-01-10T12-00-00Z"));
    assert_eq!(seen(&again(&aside)), later);
    assert!(backup.folder.join(MANIFEST).exists());
    // The backup is as good as before, whatever happens to what was made from it.
    ride(&again(folder.path()), "2026-01-05T20:00:00Z", 10);
    again(folder.path()).seal("2026-01-05".parse().unwrap()).unwrap();
    let restored = restore(&backup.folder, folder.path(), true, at(NOW)).unwrap();
    assert_eq!(
        restored.moved_aside.unwrap(),
        folder.path().join("replaced-2026-01-10T12-00-00Z-2")
    );
    assert_eq!(seen(&again(folder.path())), before);
}

#[test]
fn a_damaged_unfinished_or_newer_backup_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = lived_in(&folder);
    let backup = store.backup(&store.backups_folder()).unwrap().folder;
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("deloton.duckdb"), "something").unwrap();
    let refused = || {
        let error = restore(&backup, elsewhere.path(), true, at(NOW)).unwrap_err();
        let left: Vec<_> = fs::read_dir(elsewhere.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["deloton.duckdb"], "{error}");
        error.to_string()
    };
    let manifest = fs::read_to_string(backup.join(MANIFEST)).unwrap();

    let report = backup.join("reports/2026-01-05/report.json");
    fs::write(&report, "{]").unwrap();
    assert!(refused().contains("report.json` is not what was backed up"));
    fs::write(&report, "{}").unwrap();

    let version = format!("\"schema_version\": {}", migrate::known_version());
    assert!(manifest.contains(&version));
    fs::write(
        backup.join(MANIFEST),
        manifest.replace(&version, "\"schema_version\": 99"),
    )
    .unwrap();
    assert!(refused().contains("has schema version 99, newer than"));

    fs::write(
        backup.join(MANIFEST),
        manifest.replace("reports/2026-01-05/report.json", "../report.json"),
    )
    .unwrap();
    assert!(refused().contains("`../report.json`, which is not inside the backup"));

    fs::remove_file(backup.join(MANIFEST)).unwrap();
    assert!(refused().contains("is no finished backup"));

    fs::write(backup.join(MANIFEST), manifest).unwrap();
    restore(&backup, elsewhere.path(), true, at(NOW)).unwrap();
}

#[test]
fn a_lake_file_that_is_not_the_sealed_one_fails_the_backup_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = lived_in(&folder);
    fs::write(
        folder.path().join("lake/ride/date=2026-01-05/part-0.parquet"),
        "damaged",
    )
    .unwrap();
    let error = store.backup(&store.backups_folder()).unwrap_err().to_string();
    assert!(
        error.contains("lake/ride/date=2026-01-05/part-0.parquet` is not the file that was sealed"),
        "{error}"
    );
    assert_eq!(fs::read_dir(store.backups_folder()).unwrap().count(), 0);
    // The store goes on.
    ride(&store, "2026-01-07T09:00:00Z", 10);
}

#[test]
fn the_newest_backups_are_kept_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = lived_in(&folder);
    let backups = store.backups_folder();
    let mine = backups.join("2020-01-01T00-00-00Z");
    fs::create_dir_all(&mine).unwrap();
    fs::create_dir_all(backups.join(".2020-01-01T00-00-00Z.partial")).unwrap();
    for _ in 0..11 {
        store.backup(&backups).unwrap();
    }
    assert_eq!(keep_newest(&backups, 2).unwrap(), 9);
    let left: HashSet<String> = fs::read_dir(&backups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = [
        "2020-01-01T00-00-00Z",
        "2026-01-10T12-00-00Z-10",
        "2026-01-10T12-00-00Z-11",
    ];
    assert_eq!(left, expected.map(str::to_owned).into());
}

#[test]
fn a_restore_that_was_cut_short_is_not_taken_for_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = lived_in(&folder);
    let before = seen(&store);
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = store.backup(elsewhere.path()).unwrap();
    drop(store);
    fs::create_dir(folder.path().join(".restoring")).unwrap();
    let error = Store::open(folder.path(), Clock::System).err().unwrap().to_string();
    assert!(error.contains("was cut short; run it again with --replace"), "{error}");
    restore(&backup.folder, folder.path(), true, at(NOW)).unwrap();
    assert_eq!(seen(&again(folder.path())), before);
}
