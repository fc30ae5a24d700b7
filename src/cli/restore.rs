//! `deloton restore`: puts a backup back.

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{config::settings::Settings, store};

/// Put a backup back into the data folder. Kafka then continues from the backup's offsets.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct RestoreArgs {
    /// The backup: a folder that `deloton backup` made.
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,

    /// Move what is in the data folder aside first, into a folder in it. Nothing is deleted.
    #[arg(long)]
    pub replace: bool,
}

/// Restores it and says what is there now.
///
/// # Errors
/// When the backup is damaged, unfinished or of a newer schema, the data folder is in use or not empty, or there is too
/// little room. Nothing has changed then.
pub fn restore(args: &RestoreArgs, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let data_dir = &settings.data_dir;
    let now = settings.clock().now();
    let restored = store::backup::restore(&args.backup, data_dir, args.replace, now)?;
    let taken_at = restored.manifest.taken_at.format("%Y-%m-%d %H:%M:%S UTC");
    writeln!(out, "`{}` is as it was at {taken_at}", data_dir.display())?;
    if let Some(aside) = restored.moved_aside {
        writeln!(out, "what was there before is in `{}`", aside.display())?;
    }
    writeln!(
        out,
        "Kafka continues from the offsets of that moment, and `deloton serve` publishes the site again. Mails sent since \
         then are not known here: look through `deloton outbox list` before it sends what waited."
    )?;
    Ok(())
}
