//! `deloton backup`: a consistent copy of the database, the lake and the reports, while bikes ride.

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::store::{Store, disk::size};

/// Take a backup while bikes ride.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct BackupArgs {
    /// Folder that gets the backup, a folder named after the instant. Default: `backups` in the data folder. A backup
    /// on another disk survives the loss of this one.
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    pub to: Option<PathBuf>,
}

/// Takes the backup and says where it is.
///
/// # Errors
/// When it could not be taken; nothing is left of it then.
pub fn backup(args: &BackupArgs, store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let into = args.to.clone().unwrap_or_else(|| store.backups_folder());
    let backup = store.backup(&into)?;
    let folder = backup.folder.display();
    writeln!(
        out,
        "{}, {}, in `{folder}`",
        counted(backup.manifest.files.len() as u64, "file"),
        size(backup.size_bytes())
    )?;
    writeln!(out, "put it back with `deloton restore {folder}`")?;
    Ok(())
}

/// A running server of this data folder may be the one that takes the backup, and is somewhere else.
fn absolute(text: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(text)
}
