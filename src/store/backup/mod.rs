//! Backups: one consistent copy of the database, the lake and the reports, taken while bikes ride, and put back.
//!
//! A backup is laid out as a data folder is, with a manifest. The database is copied in one transaction, so it holds the
//! offsets that belong to its rows: after a restore Kafka continues from there.

mod restore;

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::restore::{Restored, refuse_half_restored, restore};
use super::{DATABASE, Doing, Result, Store, StoreError, disk, migrate, views::quoted};

/// Names a finished backup's contents; written last.
const MANIFEST: &str = "manifest.json";

/// What a new database takes for its tables before there is much in them.
const LAYOUT: u64 = 16_000_000;

/// Where reports are, below the data folder.
const REPORTS: &str = "reports";

/// How a backup's folder is called: the instant it was taken, UTC.
const NAME: &str = "%Y-%m-%dT%H-%M-%SZ";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The database's schema version.
    pub schema_version: i32,
    /// The program that took it.
    pub program_version: String,
    /// The instant it is of.
    pub taken_at: DateTime<Utc>,
    /// Every file of it but this one.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Path below the backup and below the data folder.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its hash, hexadecimal.
    pub sha256: String,
}

/// A backup that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

impl Backup {
    /// Bytes of all its files. Those of the lake take no room of their own where they could be linked.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size_bytes).sum()
    }
}

impl Store {
    /// Where backups go when nobody says.
    #[must_use]
    pub fn backups_folder(&self) -> PathBuf {
        self.data_dir().join("backups")
    }

    /// Takes a backup into a new folder below `into`, named after the instant. Readings go on being written meanwhile;
    /// a day that is to be sealed waits.
    ///
    /// # Errors
    /// When there is too little room, something cannot be read or written, or a file of the lake is not the one that was
    /// sealed. Nothing is left of the backup then.
    pub fn backup(&self, into: &Path) -> Result<Backup> {
        let doing = || format!("cannot take a backup into `{}`", into.display());
        fs::create_dir_all(into).doing(doing)?;
        let _lake = self.hold_lake()?;
        if into == self.backups_folder() {
            remove_partial(into).doing(doing)?;
        }
        disk::require_room(
            "a backup",
            self.room_needed(into)?,
            into,
            "make room, or say --to another disk",
        )?;
        let taken_at = self.clock().now();
        let folder = unused(&into.join(taken_at.format(NAME).to_string()));
        let partial = into.join(format!(".{}{PARTIAL}", file_name(&folder)));
        // Nobody but its owner reads in a backup who rides.
        let taken = DirBuilder::new()
            .mode(0o700)
            .create(&partial)
            .doing(doing)
            .and_then(|()| self.fill(&partial, taken_at))
            .and_then(|manifest| {
                disk::sync_folder(&partial)
                    .and_then(|()| fs::rename(&partial, &folder))
                    .and_then(|()| disk::sync_folder(into))
                    .doing(doing)?;
                Ok(manifest)
            });
        match taken {
            Ok(manifest) => Ok(Backup { folder, manifest }),
            Err(error) => {
                // What made the backup fail is what people need to hear of.
                fs::remove_dir_all(&partial).ok();
                Err(error)
            }
        }
    }

    /// A careful guess; links need no room.
    fn room_needed(&self, into: &Path) -> Result<u64> {
        let data = self.data_dir();
        let size_of = |folder: &str| -> Result<u64> {
            let files = disk::files_below(data, Path::new(folder))
                .doing(|| format!("cannot look through `{}`", data.join(folder).display()))?;
            Ok(files.iter().map(|file| disk::file_size(&data.join(file))).sum())
        };
        let database = data.join(DATABASE);
        let lake = if disk::same_disk(data, into) {
            0
        } else {
            size_of("lake")?
        };
        Ok(room_for_database(&database) + size_of(REPORTS)? + lake)
    }

    fn fill(&self, folder: &Path, taken_at: DateTime<Utc>) -> Result<Manifest> {
        let mut files = Vec::new();
        let mut add = |path: &str, sha256: String| {
            let size_bytes = disk::file_size(&folder.join(path));
            files.push(ManifestFile {
                path: path.to_owned(),
                size_bytes,
                sha256,
            });
        };
        let database = folder.join(DATABASE);
        let lake = self.copy_database(&database)?;
        let hash = super::lake::hash_file(&database).doing(|| format!("cannot read `{}`", database.display()))?;
        add(DATABASE, hash);
        for (path, recorded) in lake {
            self.check()?;
            let (from, to) = (self.data_dir().join(&path), folder.join(&path));
            let hash = make_parent(&to)
                .and_then(|()| disk::link_or_copy(&from, &to))
                .doing(|| format!("cannot copy `{}`", from.display()))?;
            if hash != recorded {
                return Err(StoreError::Inconsistent(format!(
                    "`{}` is not the file that was sealed; take it from an earlier backup",
                    from.display()
                )));
            }
            add(&path, hash);
        }
        let doing = || format!("cannot copy `{REPORTS}` of the data folder");
        for path in disk::files_below(self.data_dir(), Path::new(REPORTS)).doing(doing)? {
            self.check()?;
            let to = folder.join(&path);
            let hash = make_parent(&to)
                .and_then(|()| disk::copy(&self.data_dir().join(&path), &to))
                .doing(doing)?;
            add(&path.to_string_lossy(), hash);
        }
        let manifest = Manifest {
            schema_version: migrate::known_version(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at,
            files,
        };
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|error| StoreError::Inconsistent(format!("cannot write down what the backup holds: {error}")))?;
        fs::write(&path, text + "\n")
            .and_then(|()| fs::File::open(&path)?.sync_all())
            .doing(|| format!("cannot write `{}`", path.display()))?;
        Ok(manifest)
    }

    /// Copies the database into the new file `to`, as one transaction sees it; answers the lake files, (path, hash), that it
    /// names.
    fn copy_database(&self, to: &Path) -> Result<Vec<(String, String)>> {
        let doing = || format!("cannot copy the database to `{}`", to.display());
        let connection = self.connection()?;
        let read = || -> Result<Vec<(String, String)>> {
            let name: String = connection
                .query_row("select current_database()", [], |row| row.get(0))
                .doing(doing)?;
            connection
                .execute_batch(&format!("begin; copy from database \"{name}\" to backup_copy"))
                .doing(doing)?;
            let mut statement = connection
                .prepare("select path, content_hash from ops.lake_file order by path")
                .doing(doing)?;
            let files = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .doing(doing)?
                .collect::<duckdb::Result<Vec<_>>>()
                .doing(doing)?;
            connection
                .execute_batch("commit; checkpoint backup_copy")
                .doing(doing)?;
            Ok(files)
        };
        // Every connection sees what one attached; a cancelled backup is still detached.
        let lasting = self.lasting_connection()?;
        lasting
            .execute_batch(&format!("attach {} as backup_copy", quoted(&to.to_string_lossy())))
            .doing(doing)?;
        let files = read();
        if files.is_err() {
            // Fails where the transaction is over already.
            drop(connection.execute_batch("rollback"));
        }
        let detached = lasting.execute_batch("detach backup_copy").doing(doing);
        files.and_then(|files| detached.map(|()| files))
    }
}

/// What a copy of a database takes, by a careful guess: it is laid out anew, which can make a small one larger.
pub(super) fn room_for_database(path: &Path) -> u64 {
    let copied = disk::file_size(path) + disk::file_size(&wal(path));
    copied + copied / 4 + LAYOUT
}

/// Deletes all but the newest `keep` finished backups of `folder`; answers how many that were.
///
/// # Errors
/// When one cannot be deleted.
pub fn keep_newest(folder: &Path, keep: usize) -> Result<usize> {
    let doing = || format!("cannot delete old backups in `{}`", folder.display());
    let backups = finished(folder)?;
    let old = backups.len().saturating_sub(keep);
    for (.., path) in &backups[..old] {
        // Without its manifest it is no backup any more, should deleting be cut short.
        fs::remove_file(path.join(MANIFEST))
            .and_then(|()| fs::remove_dir_all(path))
            .doing(doing)?;
    }
    Ok(old)
}

/// Older copies of a store in its data folder: backups, what a restore moved aside, and what was kept before an upgrade.
///
/// # Errors
/// When the folder cannot be read.
pub fn copies(store: &Store) -> Result<Vec<PathBuf>> {
    let folder = store.backups_folder();
    let mut copies = Vec::new();
    if folder.exists() {
        copies.extend(finished(&folder)?.into_iter().map(|(.., path)| path));
    }
    let doing = || format!("cannot look through `{}`", store.data_dir().display());
    for entry in fs::read_dir(store.data_dir()).doing(doing)? {
        let path = entry.doing(doing)?.path();
        let name = file_name(&path);
        if name.starts_with("replaced-") || name.contains(".of-version-") {
            copies.push(path);
        }
    }
    copies.sort();
    Ok(copies)
}

/// The finished backups of `folder`, the oldest first: when each was taken, its number of those of that second, and where it
/// is.
fn finished(folder: &Path) -> Result<Vec<(NaiveDateTime, u32, PathBuf)>> {
    let doing = || format!("cannot look through the backups in `{}`", folder.display());
    let mut backups = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        let path = entry.doing(doing)?.path();
        let name = file_name(&path);
        let (instant, number) = name.split_once("Z-").map_or((name.as_str(), 1), |(_, number)| {
            (&name[..name.len() - number.len() - 1], number.parse().unwrap_or(0))
        });
        if let Ok(taken_at) = NaiveDateTime::parse_from_str(instant, NAME)
            && path.join(MANIFEST).exists()
        {
            backups.push((taken_at, number, path));
        }
    }
    backups.sort();
    Ok(backups)
}

/// Ending of a backup under way.
const PARTIAL: &str = ".partial";

/// Removes what a crash left of backups.
fn remove_partial(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if file_name(&path).ends_with(PARTIAL) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// `path`, with a number where that is taken.
fn unused(path: &Path) -> PathBuf {
    let numbered = |number: u32| path.with_file_name(format!("{}-{number}", file_name(path)));
    std::iter::once(path.to_owned())
        .chain((2..).map(numbered))
        .find(|path| !path.exists())
        .expect("some number is free")
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn wal(database: &Path) -> PathBuf {
    database.with_extension("duckdb.wal")
}

#[cfg(test)]
mod tests;
