//! Writing the database's file anew, so that the bytes of deleted rows are gone: DuckDB marks rows as deleted and leaves them
//! in the file until something happens to be written over them.
//!
//! The copy is one transaction into a new file, which then takes the old one's place. Nobody may write meanwhile, and nobody
//! may have the old file open when it goes: who asks for a connection waits, and until all that are out have come back,
//! nothing is begun.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use duckdb::Connection;

use super::{DATABASE, Doing, Result, Store, StoreError, backup, disk, lock, open_file, views, views::quoted};

/// How long new connections are kept waiting for those that are out: whoever has one may need another to come to its end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to let everybody else go on before it is tried a second time; then twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(500);

/// How often it is tried.
const TRIES: u32 = 7;

/// How often the file is tried to be opened again.
const OPENINGS: u32 = 5;

/// Ending of the new file while it is written.
const ASIDE: &str = "next";

/// What writing the file anew came to; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// Its size before.
    pub before: u64,
    /// Its size now.
    pub after: u64,
    /// How long everybody waited.
    pub took: Duration,
}

impl Store {
    /// Writes the database's file anew: afterwards it holds nothing but what is in its tables. Everybody else waits for as long
    /// as a backup of it takes.
    ///
    /// # Errors
    /// When others never came to their end, there is too little room, or something cannot be read or written. The old file
    /// is in place then.
    pub fn rewrite(&self) -> Result<Rewritten> {
        let path = self.data_dir().join(DATABASE);
        let before = disk::file_size(&path);
        disk::require_room(
            "the database, written anew",
            backup::room_for_database(&path),
            self.data_dir(),
            "make room",
        )?;
        for attempt in 0..TRIES {
            self.check()?;
            if let Some(_shut) = self.inner.turnstile.shut(PATIENCE) {
                let began = Instant::now();
                self.replace(&path)?;
                return Ok(Rewritten {
                    before,
                    after: disk::file_size(&path),
                    took: began.elapsed(),
                });
            }
            thread::sleep(PAUSE * 2_u32.pow(attempt));
        }
        Err(StoreError::Inconsistent(
            "the database's file cannot be written anew while somebody works with it all the time; it is tried again later"
                .to_owned(),
        ))
    }

    /// Copies the database and puts the copy in its place. Nobody has a connection.
    fn replace(&self, path: &Path) -> Result<()> {
        let aside = aside(path);
        remove(&aside)?;
        let mut root = lock(&self.inner.root);
        lock(&self.inner.idle).clear();
        let copied = copy(&root, &aside);
        if copied.is_err() {
            remove(&aside)?;
        }
        copied?;
        // Nobody is to work with what takes the connection's place here.
        self.inner.is_lost.store(true, Ordering::Relaxed);
        // The last connection closes the old file.
        *root = Connection::open_in_memory().doing(|| "cannot let go of the database's file".to_owned())?;
        let replaced = put_in_place(&aside, path);
        // Whichever of the two files it is now.
        *root = open_again(path)?;
        self.inner.is_lost.store(false, Ordering::Relaxed);
        views::create(&root, self.data_dir())?;
        replaced
    }
}

/// At start: removes what a crash left of a new file.
pub(super) fn recover(path: &Path) -> Result<()> {
    remove(&aside(path))
}

fn copy(root: &Connection, to: &Path) -> Result<()> {
    let doing = || format!("cannot write the database anew to `{}`", to.display());
    let name: String = root
        .query_row("select current_database()", [], |row| row.get(0))
        .doing(doing)?;
    let target = quoted(&to.to_string_lossy());
    root.execute_batch(&format!("checkpoint; attach {target} as rewritten"))
        .doing(doing)?;
    let copied = root
        .execute_batch(&format!(
            "copy from database \"{name}\" to rewritten; checkpoint rewritten"
        ))
        .doing(doing);
    root.execute_batch("detach rewritten").doing(doing)?;
    copied
}

fn open_again(path: &Path) -> Result<Connection> {
    for _ in 1..OPENINGS {
        match open_file(path) {
            Err(error) => tracing::error!("the database cannot be opened again, which is tried once more: {error}"),
            opened => return opened,
        }
        thread::sleep(PAUSE);
    }
    open_file(path)
}

fn put_in_place(aside: &Path, path: &Path) -> Result<()> {
    let doing = || format!("cannot put `{}` in the place of the database", aside.display());
    let log = path.with_extension("duckdb.wal");
    if log.exists() {
        remove(aside)?;
        return Err(StoreError::Inconsistent(format!(
            "`{}` is still there, so the database was not closed as it should be; its file is left as it was",
            log.display()
        )));
    }
    File::open(aside)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(aside, path))
        .and_then(|()| path.parent().map_or(Ok(()), disk::sync_folder))
        .doing(doing)
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension(format!("duckdb.{ASIDE}"))
}

fn remove(aside: &Path) -> Result<()> {
    for path in [aside.to_owned(), aside.with_extension(format!("{ASIDE}.wal"))] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing(|| format!("cannot remove `{}`", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;
    use crate::{
        domain::erasure::{IfAbsent, Subject},
        store::fixture::{number, open, ride, seen},
    };

    fn holds(path: &Path, needle: &str) -> bool {
        memchr::memmem::find(&fs::read(path).unwrap(), needle.as_bytes()).is_some()
    }

    #[test]
    fn of_an_erased_rider_not_a_byte_is_left_in_the_file_and_all_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        let store = open(&folder);
        ride(&store, "2026-01-05T09:00:00Z", 30);
        let others =
            "insert into daily.rider (rider_id, seen_at, name, gender) values (8, now(), 'Ms Other', 'female');
                      create index by_rider on daily.rider (rider_id); checkpoint";
        store.connection().unwrap().execute_batch(others).unwrap();
        assert!(holds(&path, "Rider Seven"));
        store
            .erase(Subject::Rider(7), "the test", IfAbsent::Refuse)
            .unwrap()
            .unwrap();
        store.connection().unwrap().execute_batch("checkpoint").unwrap();
        assert!(
            holds(&path, "Rider Seven"),
            "deleting alone leaves the bytes: the test shows something"
        );
        let keys = "select count(*) from duckdb_constraints() where constraint_type in ('PRIMARY KEY', 'NOT NULL')";
        let (before, keys_before) = (seen(&store), number(&store, keys));
        store.rewrite().unwrap();
        assert!(!holds(&path, "Rider Seven") && holds(&path, "Ms Other"));
        assert_eq!(seen(&store), before);
        let again = ride(&store, "2026-01-10T12:00:00Z", 3);
        drop(store);
        let store = open(&folder);
        assert_eq!(number(&store, "select count(*) from ride"), 1);
        assert!(seen(&store)[0][0].contains(&again.id().to_string()));
        assert_eq!(
            number(
                &store,
                "select count(*) from duckdb_indexes() where index_name = 'by_rider'"
            ),
            1
        );
        assert_eq!(number(&store, keys), keys_before);
    }

    #[test]
    fn whoever_writes_and_reads_meanwhile_waits_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        store
            .connection()
            .unwrap()
            .execute_batch("create table main.written (n integer)")
            .unwrap();
        let stop = AtomicBool::new(false);
        let written = thread::scope(|scope| {
            let writers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut written = 0;
                        while !stop.load(Ordering::Relaxed) {
                            let outer = store.connection().unwrap();
                            // Whoever has one connection may need a second.
                            let inner = store.connection().unwrap();
                            outer.execute_batch("insert into main.written values (1)").unwrap();
                            inner
                                .query_row("select count(*) from main.written", [], |row| row.get::<_, i64>(0))
                                .unwrap();
                            written += 1;
                        }
                        written
                    })
                })
                .collect();
            for _ in 0..5 {
                store.rewrite().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().map(|writer| writer.join().unwrap()).sum::<i64>()
        });
        assert!(written > 0);
        assert_eq!(number(&store, "select count(*) from main.written"), written);
    }

    #[test]
    fn what_a_crash_left_of_a_new_file_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder));
        let left = aside(&folder.path().join(DATABASE));
        fs::write(&left, "half").unwrap();
        drop(open(&folder));
        assert!(!left.exists());
    }
}
