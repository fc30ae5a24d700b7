//! The only code that knows DuckDB and Parquet.
//!
//! One process owns one database file. A [`Store`] hands out connections to it; each belongs to one thread at a time.

pub mod api_key;
pub mod backup;
mod buffer;
pub mod compact;
pub mod daily_table;
pub mod disk;
mod erased_list;
pub mod erasure;
pub mod extract;
pub mod flush;
pub mod heart_rates;
mod known_rides;
mod lake;
pub mod ledger;
pub mod mail_reader;
pub mod migrate;
pub mod outbox;
mod peloton_account;
pub mod personal;
pub mod position;
pub mod publication;
pub mod query;
mod reading_columns;
pub mod rejected;
pub mod report;
pub mod rewrite;
mod ride_end;
pub mod ride_source;
pub mod rider_limit;
pub mod sql_file;
pub mod status;
pub mod stream;
pub mod table;
mod turnstile;
mod value;
mod views;
pub mod wal;
pub mod workout;
mod workout_file;

use std::{
    collections::HashSet,
    ops::{Deref, DerefMut},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use duckdb::{AccessMode, Config, Connection};
use uuid::Uuid;

use turnstile::Turnstile;

use crate::{
    clock::Clock,
    domain::{
        access::Pseudonyms,
        cancel::{Cancel, Cancelled, Interruptible},
        erasure::Tombstones,
        heart_rate::RiderLimits,
        ride_ended::RideTarget,
    },
};

/// The database's file name in the data folder.
const DATABASE: &str = "deloton.duckdb";

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error(
        "the database `{path}` is held by another process ({holder}); stop that one, or let it do the work: commands \
         go through a running `deloton serve` of the same data folder"
    )]
    Held {
        /// The file.
        path: String,
        /// Who holds it, in DuckDB's words.
        holder: String,
    },
    /// The file is not a database, is damaged or cannot be read or written.
    #[error("cannot open the database `{path}`; restore it with `deloton restore`, or move it away to start afresh")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: DuckDbError,
    },
    /// The disk is full.
    #[error(
        "cannot write `{file}`: the disk that holds it is full; make room there, or put the data folder on a larger one"
    )]
    Full {
        /// What was to be written.
        file: String,
    },
    /// The file was written by a newer program.
    #[error(
        "the database `{path}` has schema version {found}, newer than the {known} this program knows; run the newer \
         `deloton`, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i32,
        /// The newest version known here.
        known: i32,
    },
    /// A statement failed.
    #[error("{doing}")]
    Query {
        /// What was being done, to what.
        doing: String,
        /// Why it failed.
        source: DuckDbError,
    },
    /// A file beside the database could not be read or written.
    #[error("{doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The run that it is for is no longer wanted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// What was read is not what had to be there.
    #[error("{0}")]
    Inconsistent(String),
}

/// How DuckDB begins to say that a statement or the values that it meets are at fault. What else it says is of the database, its
/// memory or its disk.
const FAULTS_OF_STATEMENTS: [&str; 13] = [
    "Binder Error: ",
    "Catalog Error: ",
    "Constraint Error: ",
    "Conversion Error: ",
    "Decimal Error: ",
    "Divide by Zero Error: ",
    "Invalid Input Error: ",
    "Invalid type Error: ",
    "Mismatch Type Error: ",
    "Not implemented Error: ",
    "Out of Range Error: ",
    "Parser Error: ",
    "Syntax Error: ",
];

impl StoreError {
    /// Whether it is of one statement or its values: others may go well while this one fails again.
    #[must_use]
    pub fn is_of_statement(&self) -> bool {
        let StoreError::Query { source, .. } = self else {
            return false;
        };
        let said = source.to_string();
        FAULTS_OF_STATEMENTS.iter().any(|fault| said.starts_with(fault))
    }
}

/// What DuckDB said. The crate adds "Error code 1" as the cause of all its errors: that tells nobody anything.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DuckDbError(duckdb::Error);

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Says what was being done when a statement failed.
pub trait Doing<T> {
    /// Wraps the error in `doing`, e.g. "failed to seal 2026-11-21".
    ///
    /// # Errors
    /// The wrapped one.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for duckdb::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| {
            let query = |source| StoreError::Query { doing: doing(), source };
            refused(source, query)
        })
    }
}

/// The error of a statement that failed: what `otherwise` makes of it, unless the disk is full. That may befall any of
/// them, and there is but one way out of it.
fn refused(source: duckdb::Error, otherwise: impl FnOnce(DuckDbError) -> StoreError) -> StoreError {
    let text = source.to_string();
    if !text.contains("No space left on device") {
        return otherwise(DuckDbError(source));
    }
    let file = text.split_once("file \"").and_then(|(_, rest)| rest.split_once('"'));
    StoreError::Full {
        file: file.map_or(DATABASE, |(file, _)| file).to_owned(),
    }
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| StoreError::Io { doing: doing(), source })
    }
}

/// What DuckDB may hold in memory; whatever needs more spills to `tmp` in the data folder. Sealing a day of ten million
/// readings takes no longer with a quarter of it, but a flush at the same time must not go short.
const MEMORY_LIMIT: &str = "1GB";

/// The database of one data folder. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// What is done through this clone is for a run that may be cancelled.
    cancel: Option<Cancel>,
}

struct Inner {
    data_dir: PathBuf,
    clock: Clock,
    /// Shut while the database's file is written anew.
    turnstile: Turnstile,
    /// The file was written anew and could not be opened again.
    is_lost: AtomicBool,
    /// Idle connections; the first is never handed out, so that the database stays open.
    root: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
    /// Held by whoever changes the lake's files or needs them to stay as a transaction lists them.
    lake: Mutex<()>,
    /// Rides that came again, from another stream or the same one; held by whoever writes readings.
    shared_rides: Mutex<HashSet<Uuid>>,
    /// What was settled for single riders, as `ops.rider_limit` has it.
    rider_limits: Mutex<Arc<RiderLimits>>,
    /// What was erased and is not to be kept again, as `ops.tombstone` has it.
    tombstones: Mutex<Arc<Tombstones>>,
    /// Rides that were asked for lately.
    known_rides: known_rides::KnownRides,
    /// The API's keys, as `ops.api_key` has them.
    api_keys: Mutex<Arc<api_key::ApiKeys>>,
    /// What riders are called before those who may not know who they are.
    pseudonyms: Pseudonyms,
    /// Held by whoever changes workouts: what is new is told by what is stored.
    workouts: Mutex<()>,
    /// Held by whoever writes daily files of workouts, before [`Inner::workouts`].
    workout_files: Mutex<()>,
    /// Whom to tell of rides that end.
    ride_targets: OnceLock<Vec<RideTarget>>,
}

impl Store {
    /// Opens the database of `data_dir`, creating or migrating it.
    ///
    /// # Errors
    /// See [`StoreError`]: held by another process, damaged, newer, or not writable.
    pub fn open(data_dir: &Path, clock: Clock) -> Result<Self> {
        std::fs::create_dir_all(data_dir).doing(|| {
            format!(
                "cannot create the data folder `{}`; name another with --data-dir",
                data_dir.display()
            )
        })?;
        backup::refuse_half_restored(data_dir)?;
        let path = data_dir.join(DATABASE);
        rewrite::recover(&path)?;
        let connection = open_file(&path).map_err(|error| writable(data_dir, &path).err().unwrap_or(error))?;
        migrate::migrate(&connection, &path, clock)?;
        lake::recover(&connection, data_dir)?;
        views::create(&connection, data_dir)?;
        erased_list::bring_together(&connection, data_dir)?;
        let shared_rides = ride_source::shared(&connection)?;
        let rider_limits = Arc::new(rider_limit::read(&connection)?);
        let tombstones = Arc::new(erasure::read(&connection)?);
        let api_keys = Arc::new(api_key::read(&connection)?);
        let pseudonyms = Pseudonyms::new(api_key::pseudonym_secret(&connection)?);
        let inner = Inner {
            data_dir: data_dir.to_owned(),
            clock,
            turnstile: Turnstile::default(),
            is_lost: AtomicBool::new(false),
            root: Mutex::new(connection),
            idle: Mutex::default(),
            lake: Mutex::default(),
            shared_rides: Mutex::new(shared_rides),
            rider_limits: Mutex::new(rider_limits),
            tombstones: Mutex::new(tombstones),
            known_rides: known_rides::KnownRides::default(),
            api_keys: Mutex::new(api_keys),
            pseudonyms,
            workouts: Mutex::default(),
            workout_files: Mutex::default(),
            ride_targets: OnceLock::new(),
        };
        Ok(Store {
            inner: Arc::new(inner),
            cancel: None,
        })
    }

    /// The folder everything is in.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// The clock this store stamps its rows by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// What riders are called before those who may not know who they are.
    #[must_use]
    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.inner.pseudonyms
    }

    /// Changes what DuckDB may hold in memory, e.g. `256MB`, for as long as the store is open.
    ///
    /// # Errors
    /// When `limit` is no size, or less than what is in use.
    pub fn limit_memory(&self, limit: &str) -> Result<()> {
        self.connection()?
            .execute_batch(&format!("set memory_limit = {}", views::quoted(limit)))
            .doing(|| format!("cannot limit the database to {limit} of memory"))
    }

    /// The same database for the work of a run: once `cancel` is raised, its statement under way is interrupted, and it
    /// gets no connection any more.
    #[must_use]
    pub fn cancelled_by(&self, cancel: &Cancel) -> Store {
        Store {
            inner: Arc::clone(&self.inner),
            cancel: Some(cancel.clone()),
        }
    }

    /// Ends the work of a run that is no longer wanted: `store.check()?` between steps that ask the database nothing.
    ///
    /// # Errors
    /// When the run was cancelled.
    pub fn check(&self) -> Result<()> {
        self.cancel.as_ref().map_or(Ok(()), |cancel| Ok(cancel.check()?))
    }

    /// Keeps the lake's files as they are listed, until dropped.
    ///
    /// # Errors
    /// When the run that it is for was cancelled before it was its turn.
    fn hold_lake(&self) -> Result<MutexGuard<'_, ()>> {
        match &self.cancel {
            Some(cancel) => Ok(cancel.lock(&self.inner.lake)?),
            None => Ok(lock(&self.inner.lake)),
        }
    }

    /// Does `work` in one transaction, and again where another transaction changed the same rows meanwhile.
    fn transaction<T>(&self, doing: impl Fn() -> String, work: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let done = self.transaction_on_rides(doing, work);
        self.inner.known_rides.forget_all();
        done
    }

    /// The same, of a caller who has the rides forgotten that were changed.
    fn transaction_on_rides<T>(
        &self,
        doing: impl Fn() -> String,
        work: impl Fn(&Connection) -> Result<T>,
    ) -> Result<T> {
        loop {
            let connection = self.connection()?;
            let attempt = || {
                connection.execute_batch("begin").doing(&doing)?;
                let done = work(&connection)?;
                connection.execute_batch("commit").doing(&doing)?;
                Ok(done)
            };
            match attempt() {
                Err(StoreError::Query { source, .. }) if is_conflict(&source.0) => {
                    tracing::debug!("{}: the same rows were changed meanwhile; trying again", doing());
                    drop(connection);
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => return done,
            }
        }
    }

    /// A connection of one's own; it returns to the pool when dropped.
    ///
    /// # Errors
    /// When DuckDB cannot make another connection, or the run that it is for was cancelled.
    pub fn connection(&self) -> Result<Lease> {
        self.check()?;
        let mut lease = self.lease(self.cancel.as_ref())?;
        lease.interruptible = self.cancel.as_ref().map(|cancel| {
            let handle = lease.interrupt_handle();
            cancel.interrupts_with(move || handle.interrupt())
        });
        Ok(lease)
    }

    /// A connection that a cancelled run still has, to leave things in order.
    fn lasting_connection(&self) -> Result<Lease> {
        self.lease(None)
    }

    fn lease(&self, cancel: Option<&Cancel>) -> Result<Lease> {
        self.inner.turnstile.enter(cancel)?;
        let mut lease = Lease {
            connection: None,
            interruptible: None,
            inner: Arc::clone(&self.inner),
        };
        if self.inner.is_lost.load(Ordering::Relaxed) {
            return Err(StoreError::Inconsistent(
                "the database's file was written anew and could not be opened again; restart the program".to_owned(),
            ));
        }
        let idle = lock(&self.inner.idle).pop();
        lease.connection = Some(match idle {
            Some(connection) => connection,
            None => lock(&self.inner.root)
                .try_clone()
                .doing(|| "cannot open another connection".to_owned())?,
        });
        Ok(lease)
    }
}

/// A connection on loan from the pool.
pub struct Lease {
    connection: Option<Connection>,
    interruptible: Option<Interruptible>,
    inner: Arc<Inner>,
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a lease holds its connection until it is dropped")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("a lease holds its connection until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Neither the rollback nor whoever has the connection next is what was cancelled.
        self.interruptible.take();
        if let Some(connection) = self.connection.take() {
            // A lease dropped in the middle of a transaction must not hand that transaction to the next. The crate
            // does not tell whether there is one; where there is none this fails and changes nothing.
            drop(connection.execute_batch("rollback"));
            lock(&self.inner.idle).push(connection);
        }
        self.inner.turnstile.leave();
    }
}

/// Whether the database could be written at all: a person who may not needs other help than one whose file is damaged.
fn writable(data_dir: &Path, path: &Path) -> Result<()> {
    let probe = if path.exists() {
        std::fs::OpenOptions::new().append(true).open(path).map(drop)
    } else {
        tempfile::tempfile_in(data_dir).map(drop)
    };
    probe.doing(|| {
        format!(
            "cannot write `{}`; make the data folder writable for the user that runs this, or name another with \
             --data-dir",
            path.display()
        )
    })
}

/// Keeps others than its owner from reading a file, if it is there.
fn keep_private(path: &Path) -> std::io::Result<()> {
    match std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn open_file(path: &Path) -> Result<Connection> {
    let connection = open_as(path, AccessMode::ReadWrite)?;
    // It has in it who rides: nobody but its owner reads it past the API's keys.
    for path in [path.to_owned(), path.with_extension("duckdb.wal")] {
        keep_private(&path).doing(|| format!("cannot keep others from reading `{}`", path.display()))?;
    }
    Ok(connection)
}

/// Refuses when another process has the database open. One that is damaged or not there is held by nobody.
fn refuse_held(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    match open_as(path, AccessMode::ReadOnly) {
        Err(error @ StoreError::Held { .. }) => Err(error),
        _ => Ok(()),
    }
}

fn open_as(path: &Path, mode: AccessMode) -> Result<Connection> {
    let display = || path.display().to_string();
    let config = || -> duckdb::Result<Config> {
        Config::default()
            .access_mode(mode)?
            .with("autoinstall_known_extensions", "false")?
            .with("autoload_known_extensions", "false")?
            .with("memory_limit", MEMORY_LIMIT)?
            .with("wal_autocheckpoint", wal::MAX_LENGTH)?
            .with("temp_directory", path.with_file_name("tmp").to_string_lossy())
    };
    let failed = |source: duckdb::Error| {
        let text = source.to_string();
        match text.split_once("Conflicting lock is held in ") {
            Some((_, holder)) => {
                let holder = holder.split_once(". See").map_or(holder, |(holder, _)| holder);
                StoreError::Held {
                    path: display(),
                    holder: holder.trim().to_owned(),
                }
            }
            None => refused(source, |source| StoreError::Open {
                path: display(),
                source,
            }),
        }
    };
    #[expect(clippy::disallowed_methods, reason = "this is the store")]
    let connection = Connection::open_with_flags(path, config().map_err(failed)?).map_err(failed)?;
    connection
        .execute_batch("set global TimeZone = 'UTC'; set preserve_insertion_order = true;")
        .map_err(failed)?;
    Ok(connection)
}

/// Whether a statement failed only because another transaction changed the same rows; one of the two always goes
/// through.
fn is_conflict(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    text.contains("Conflict on ") || text.contains("write-write conflict")
}

/// A panic in another thread leaves nothing half done in what these locks protect.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod flush_tests;
#[cfg(test)]
mod opening_tests;
#[cfg(test)]
mod sealing_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_in_utc_and_in_no_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let first = store.connection().unwrap();
        first.execute_batch("begin; create table t (x integer)").unwrap();
        drop(first);
        let second = store.connection().unwrap();
        let zone = |connection: &Connection| -> String {
            connection
                .query_row("select current_setting('TimeZone')", [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(
            (zone(&second), zone(&store.connection().unwrap())),
            ("UTC".to_owned(), "UTC".to_owned())
        );
        second
            .execute_batch("begin; create table t (x integer); commit")
            .unwrap();
    }

    /// An error and its causes, as they are printed.
    fn told(error: StoreError) -> String {
        format!("{:#}", anyhow::Error::from(error))
    }

    #[test]
    fn nobody_but_its_owner_may_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let mode = || {
            std::fs::metadata(folder.path().join(DATABASE))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(), 0o600);
        store.rewrite().unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_statement_that_fails_ends_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let failed = store.connection().unwrap().execute_batch("select 1 from nowhere");
        let text = told(failed.doing(|| "cannot count".to_owned()).unwrap_err());
        assert!(text.starts_with("cannot count: Catalog Error: "), "{text}");
        assert!(text.contains("nowhere") && !text.contains("Error code"), "{text}");
    }

    #[test]
    fn what_memory_lacks_is_no_fault_of_a_statement() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let connection = store.connection().unwrap();
        let failure = |sql: &str| {
            let failed = connection.execute_batch(sql);
            failed.doing(|| "cannot try".to_owned()).unwrap_err()
        };
        for sql in [
            "select",
            "select 1 from nowhere",
            "select 'x'::integer",
            "select 200::utinyint::tinyint",
        ] {
            assert!(failure(sql).is_of_statement(), "{}", told(failure(sql)));
        }
        connection.execute_batch("set memory_limit = '1MB'").unwrap();
        let error = failure("create temp table many as select random()::varchar as x from range(10_000_000)");
        assert!(!error.is_of_statement(), "{}", told(error));
        let asked = connection.query_row(
            "select count(distinct random()::varchar) from range(10_000_000)",
            [],
            |row| row.get::<_, i64>(0),
        );
        let error = asked.doing(|| "cannot count".to_owned()).unwrap_err();
        assert!(!error.is_of_statement(), "{}", told(error));
    }

    #[test]
    fn a_full_disk_is_named_whatever_was_being_done() {
        let said = "TransactionContext Error: Failed to commit: Could not write file \"data/deloton.duckdb.wal\": No space \
                    left on device";
        let failure = duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(said.to_owned()));
        let text = told(
            Err::<(), _>(failure)
                .doing(|| "cannot make the views; is a file missing?".to_owned())
                .unwrap_err(),
        );
        assert_eq!(
            text,
            "cannot write `data/deloton.duckdb.wal`: the disk that holds it is full; make room there, or put the data \
             folder on a larger one"
        );
    }
}
