//! Putting a backup back.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{MANIFEST, Manifest, NAME, file_name, make_parent, unused};
use crate::store::{DATABASE, Doing, Result, StoreError, disk, erased_list, migrate, refuse_held};

/// Where a backup is copied before anything of the data folder is moved.
const RESTORING: &str = ".restoring";

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What is there now.
    pub manifest: Manifest,
    /// Where what was there before is.
    pub moved_aside: Option<PathBuf>,
}

/// Makes `data_dir` hold what `backup` holds. What is in the folder stays unless `replace`: then it is moved aside, into
/// a folder beside it named after `now`. Backups stay where they are. Nothing is ever deleted.
///
/// # Errors
/// When `backup` is no finished backup, is damaged or of a newer schema; when `data_dir` is not empty or its database is
/// in use; when there is too little room. The data folder is as it was then.
pub fn restore(backup: &Path, data_dir: &Path, replace: bool, now: DateTime<Utc>) -> Result<Restored> {
    let manifest = read_manifest(backup)?;
    if manifest.schema_version > migrate::known_version() {
        return Err(StoreError::Newer {
            path: backup.join(DATABASE).display().to_string(),
            found: manifest.schema_version,
            known: migrate::known_version(),
        });
    }
    let doing = || format!("cannot restore into `{}`", data_dir.display());
    fs::create_dir_all(data_dir).doing(doing)?;
    let occupants = occupants(data_dir).doing(doing)?;
    if let Some(some) = occupants.first()
        && !replace
    {
        return Err(StoreError::Inconsistent(format!(
            "`{}` is not empty: there is `{}`; say --replace to have what is there moved aside, or name another folder \
             with --data-dir",
            data_dir.display(),
            file_name(some)
        )));
    }
    refuse_held(&data_dir.join(DATABASE))?;
    require_room(&manifest, backup, data_dir)?;
    let restoring = data_dir.join(RESTORING);
    if restoring.exists() {
        fs::remove_dir_all(&restoring).doing(doing)?;
    }
    if let Err(error) = copy_verified(&manifest, backup, &restoring) {
        // The data folder is untouched so far; what made this fail is what people need to hear of.
        fs::remove_dir_all(&restoring).ok();
        return Err(error);
    }
    let moved_aside = (!occupants.is_empty()).then(|| unused(&data_dir.join(format!("replaced-{}", now.format(NAME)))));
    if let Some(aside) = &moved_aside {
        fs::create_dir(aside).doing(doing)?;
        move_into(&occupants, aside).doing(doing)?;
    }
    let entries = fs::read_dir(&restoring)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .doing(doing)?;
    move_into(&entries, data_dir)
        .and_then(|()| fs::remove_dir(&restoring))
        .and_then(|()| disk::sync_folder(data_dir))
        .doing(doing)?;
    Ok(Restored { manifest, moved_aside })
}

/// Refuses a data folder in which a restore was cut short: starting there would begin afresh, without a word.
///
/// # Errors
/// When it is one.
pub fn refuse_half_restored(data_dir: &Path) -> Result<()> {
    let restoring = data_dir.join(RESTORING);
    if !restoring.exists() {
        return Ok(());
    }
    Err(StoreError::Inconsistent(format!(
        "a restore into `{}` was cut short; run it again with --replace, or, to go on with what is there, remove `{}`",
        data_dir.display(),
        restoring.display()
    )))
}

fn read_manifest(backup: &Path) -> Result<Manifest> {
    let path = backup.join(MANIFEST);
    let text = fs::read_to_string(&path).doing(|| {
        format!(
            "`{}` is no finished backup, as its `{MANIFEST}` cannot be read; name a folder that `deloton backup` made",
            backup.display()
        )
    })?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| StoreError::Inconsistent(format!("`{}` is damaged: {error}", path.display())))?;
    let is_below = |path: &str| {
        Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
    };
    match manifest.files.iter().find(|file| !is_below(&file.path)) {
        Some(file) => Err(StoreError::Inconsistent(format!(
            "`{}` names `{}`, which is not inside the backup",
            path.display(),
            file.path
        ))),
        None => Ok(manifest),
    }
}

/// What a restore would have to move: everything but backups, the list of what was erased, what earlier restores moved
/// aside, and what belongs to the folder rather than to the program.
fn occupants(data_dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let stays = |name: &str| {
        matches!(
            name,
            erased_list::NAME | "backups" | "README.md" | "sample" | "lost+found"
        ) || name.starts_with(['.', '~'])
            || name.starts_with("replaced-")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(data_dir)? {
        let path = entry?.path();
        if !stays(&file_name(&path)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn require_room(manifest: &Manifest, backup: &Path, data_dir: &Path) -> Result<()> {
    let can_link = disk::same_disk(backup, data_dir);
    let copied = manifest.files.iter().filter(|file| !(can_link && is_lake(&file.path)));
    let needed = copied.map(|file| file.size_bytes).sum();
    disk::require_room(
        "the restore",
        needed,
        data_dir,
        "make room, or name another folder with --data-dir",
    )
}

fn copy_verified(manifest: &Manifest, backup: &Path, restoring: &Path) -> Result<()> {
    for file in &manifest.files {
        let (from, to) = (backup.join(&file.path), restoring.join(&file.path));
        let copy = if is_lake(&file.path) {
            disk::link_or_copy
        } else {
            disk::copy
        };
        let hash = make_parent(&to)
            .and_then(|()| copy(&from, &to))
            .doing(|| format!("cannot copy `{}`", from.display()))?;
        if hash != file.sha256 {
            return Err(StoreError::Inconsistent(format!(
                "`{}` is not what was backed up: its hash differs from the manifest's; nothing was restored, take \
                 another backup",
                from.display()
            )));
        }
    }
    disk::sync_folder(restoring).doing(|| format!("cannot write `{}`", restoring.display()))
}

/// Files of the lake are never written again, only replaced: a link to one is a copy.
fn is_lake(path: &str) -> bool {
    path.starts_with("lake/")
}

fn move_into(entries: &[PathBuf], folder: &Path) -> std::io::Result<()> {
    entries
        .iter()
        .try_for_each(|entry| fs::rename(entry, folder.join(file_name(entry))))
}
