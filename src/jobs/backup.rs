//! Takes a backup of the day's end into the data folder and keeps the newest few.

use anyhow::{Context, Result};

use crate::{
    domain::run::JobStatus,
    store::{Store, backup::keep_newest},
};

/// Takes a backup and deletes all but the newest `keep`, at least one. The status counts `files`, `bytes` and
/// `backups_deleted`.
///
/// # Errors
/// When the backup could not be taken; all earlier ones are there still then. When an old one could not be deleted.
pub fn run(store: &Store, keep: u32) -> Result<JobStatus> {
    let folder = store.backups_folder();
    let backup = store
        .backup(&folder)
        .with_context(|| format!("failed to take a backup into `{}`", folder.display()))?;
    let keep = usize::try_from(keep).unwrap_or(usize::MAX).max(1);
    let deleted = keep_newest(&folder, keep)?;
    Ok(JobStatus::done()
        .count("files", backup.manifest.files.len() as u64)
        .count("bytes", backup.size_bytes())
        .count("backups_deleted", deleted as u64))
}
