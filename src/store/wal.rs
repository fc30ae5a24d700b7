//! Folding the write-ahead log into the database file: on a thread of its own while rides stream in, since the commit
//! that finds the log grown too long would have to wait for it.

use std::{
    fs,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{DATABASE, Store};

/// How long the log grows before a commit folds it, where nobody else does.
pub(super) const MAX_LENGTH: &str = "256MB";

/// How long it grows before the thread folds it: at 100,000 lines a second this is every few seconds.
const FOLDED_LENGTH: u64 = 16 << 20;

/// How often its length is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Folds the log until dropped.
#[derive(Debug)]
pub struct WalFolder {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Starts folding the write-ahead log in the background.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn fold_wal(&self) -> std::io::Result<WalFolder> {
        let (stop, stopped) = channel::<()>();
        let store = self.clone();
        let fold = move || {
            while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                store.fold_if_long();
            }
        };
        let thread = thread::Builder::new().name("wal".to_owned()).spawn(fold)?;
        Ok(WalFolder {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn fold_if_long(&self) {
        let log = self.data_dir().join(format!("{DATABASE}.wal"));
        // After each folding there is a new one, which anybody may read that may read what this user writes.
        if let Err(error) = super::keep_private(&log) {
            tracing::warn!("others may read `{}`: {error}", log.display());
        }
        let length = fs::metadata(log).map_or(0, |log| log.len());
        if length < FOLDED_LENGTH {
            return;
        }
        self.checkpoint();
    }

    /// Folds the write-ahead log into the database file, and gives back what deleted rows took. While another transaction
    /// writes that is refused; the next look is a second away, and a commit does it at last.
    pub(super) fn checkpoint(&self) {
        let folded = self
            .connection()
            .map(|connection| connection.execute_batch("checkpoint"));
        if let Ok(Err(error)) = folded {
            let error = error.to_string();
            tracing::debug!(error, "the write-ahead log is not folded yet");
        }
    }
}

impl Drop for WalFolder {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the write-ahead log panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::MetadataExt as _, time::Instant};

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_log_that_has_grown_is_folded_without_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let length = || fs::metadata(folder.path().join("deloton.duckdb.wal")).map_or(0, |log| log.len());
        // Few enough rows not to be written past the log.
        store
            .connection()
            .unwrap()
            .execute_batch("create table t as select repeat(uuid()::varchar, 6) as text from range(100_000)")
            .unwrap();
        assert!(length() > FOLDED_LENGTH, "{}", length());
        let folding = store.fold_wal().unwrap();
        let began = Instant::now();
        let is_private =
            || fs::metadata(folder.path().join("deloton.duckdb.wal")).is_ok_and(|log| log.mode() & 0o077 == 0);
        while length() > FOLDED_LENGTH {
            assert!(began.elapsed() < Duration::from_secs(60), "{} bytes are left", length());
            thread::sleep(Duration::from_millis(50));
        }
        // The one that is begun then is nobody else's to read either.
        store
            .connection()
            .unwrap()
            .execute_batch("insert into t values ('more')")
            .unwrap();
        while !is_private() {
            assert!(began.elapsed() < Duration::from_secs(60), "others may read it");
            thread::sleep(Duration::from_millis(50));
        }
        drop(folding);
    }
}
