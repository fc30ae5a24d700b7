//! Files of the lake: written aside, named in `ops.lake_file` by the transaction that seals their day, then renamed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use duckdb::{Connection, params};

use super::{Doing, Result, StoreError};
use crate::domain::artifact::sha256_hex_of;

/// Ending of a file that its transaction has not named yet, or that was not renamed yet.
const ASIDE: &str = "next";

/// One file of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LakeFile {
    pub(super) table: &'static str,
    pub(super) day: NaiveDate,
    pub(super) content_hash: String,
    pub(super) size_bytes: i64,
    pub(super) row_count: i64,
}

impl LakeFile {
    /// Path below the data folder. One machine writes one shard.
    pub(super) fn path(table: &str, day: NaiveDate) -> PathBuf {
        Path::new("lake")
            .join(table)
            .join(format!("date={day}"))
            .join("part-0.parquet")
    }

    /// Names the file in the transaction under way.
    pub(super) fn record(&self, connection: &Connection) -> Result<()> {
        let doing = || format!("cannot record the lake file of `{}` for {}", self.table, self.day);
        connection
            .execute(
                "delete from ops.lake_file where table_name = ? and business_day = ?",
                params![self.table, self.day.to_string()],
            )
            .doing(doing)?;
        connection
            .execute(
                "insert into ops.lake_file values (?, ?, 0, ?, ?, ?, ?)",
                params![
                    self.table,
                    self.day.to_string(),
                    Self::path(self.table, self.day).to_string_lossy(),
                    self.content_hash,
                    self.size_bytes,
                    self.row_count
                ],
            )
            .doing(doing)?;
        Ok(())
    }
}

/// Where the file is written before it gets its name.
pub(super) fn aside(data_dir: &Path, table: &str, day: NaiveDate) -> PathBuf {
    let mut path = data_dir.join(LakeFile::path(table, day)).into_os_string();
    path.push(".");
    path.push(ASIDE);
    path.into()
}

/// Gives the file that was written aside its name. The transaction that names it is over.
pub(super) fn rename(data_dir: &Path, table: &str, day: NaiveDate) -> Result<()> {
    let (from, to) = (aside(data_dir, table, day), data_dir.join(LakeFile::path(table, day)));
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(&from)
        .and_then(|()| fs::rename(&from, &to))
        .and_then(|()| to.parent().map_or(Ok(()), sync))
        .doing(|| format!("cannot rename `{}`", from.display()))
}

/// At start: a file aside whose hash its transaction recorded gets its name; any other one is removed.
pub(super) fn recover(connection: &Connection, data_dir: &Path) -> Result<()> {
    let mut asides = Vec::new();
    collect_asides(&data_dir.join("lake"), &mut asides)
        .doing(|| "cannot look through `lake` in the data folder".to_owned())?;
    asides.iter().try_for_each(|path| settle(connection, data_dir, path))
}

/// After a failure: what was written aside for `day` and named by no transaction is removed.
pub(super) fn discard_asides(connection: &Connection, data_dir: &Path, day: NaiveDate) -> Result<()> {
    ["ride", "reading"]
        .map(|table| aside(data_dir, table, day))
        .iter()
        .filter(|path| path.exists())
        .try_for_each(|path| settle(connection, data_dir, path))
}

/// A file aside whose hash a transaction recorded gets its name; any other one is removed.
fn settle(connection: &Connection, data_dir: &Path, path: &Path) -> Result<()> {
    let named = path.with_extension("");
    let relative = named.strip_prefix(data_dir).unwrap_or(&named).to_string_lossy();
    let recorded: Option<String> = connection
        .query_row(
            "select max(content_hash) from ops.lake_file where path = ?",
            [&relative],
            |row| row.get(0),
        )
        .doing(|| "cannot read the list of lake files".to_owned())?;
    let hash = hash_file(path).doing(|| format!("cannot read `{}`", path.display()))?;
    let completed = if recorded.as_deref() == Some(&hash) {
        fs::rename(path, &named)
    } else {
        fs::remove_file(path)
    };
    completed.doing(|| format!("cannot complete or undo `{}`", path.display()))
}

fn collect_asides(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect_asides(&entry.path(), found)?;
        } else if entry.path().extension().is_some_and(|extension| extension == ASIDE) {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// SHA-256 of a file, hexadecimal.
pub(super) fn hash_file(path: &Path) -> io::Result<String> {
    sha256_hex_of(File::open(path)?)
}

/// Rows in a Parquet file.
pub(super) fn count_rows(connection: &Connection, path: &Path) -> Result<i64> {
    let doing = || format!("cannot read back `{}`", path.display());
    let path = path
        .to_str()
        .ok_or_else(|| StoreError::Inconsistent(format!("`{}` is not a UTF-8 path", path.display())))?;
    connection
        .query_row("select count(*) from read_parquet(?)", [path], |row| row.get(0))
        .doing(doing)
}
