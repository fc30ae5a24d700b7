//! Mail as files: what the laptop does in place of SES.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{SendError, SendReceipt};
use crate::domain::message::Envelope;

/// The id of the mail that is in a file, by the file's name.
fn id_of(path: &Path) -> Option<Uuid> {
    let (_, id) = path.file_stem()?.to_str()?.split_once('-')?;
    id.parse()
        .ok()
        .filter(|_| path.extension().is_some_and(|extension| extension == "eml"))
}

/// Writes each mail to `<folder>/<day>/<kind>-<id>.eml`, the day being the mail's topic where that is one, else today.
#[derive(Debug)]
pub struct OutboxDirectory {
    folder: PathBuf,
}

impl OutboxDirectory {
    pub(super) fn new(folder: PathBuf) -> Self {
        OutboxDirectory { folder }
    }

    pub(super) fn delete(&self, mails: &HashSet<Uuid>) -> std::io::Result<u64> {
        if mails.is_empty() || !self.folder.exists() {
            return Ok(0);
        }
        let mut deleted = 0;
        for day in fs::read_dir(&self.folder)? {
            let day = day?.path();
            for file in fs::read_dir(&day).into_iter().flatten() {
                let path = file?.path();
                if id_of(&path).is_some_and(|id| mails.contains(&id)) {
                    fs::remove_file(&path)?;
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    }

    pub(super) fn write(&self, envelope: &Envelope, now: DateTime<Utc>) -> Result<SendReceipt, SendError> {
        let day = envelope.topic.parse::<NaiveDate>().unwrap_or_else(|_| now.date_naive());
        let folder = self.folder.join(day.to_string());
        let path = folder.join(format!("{}-{}.eml", envelope.kind.name(), envelope.message_id));
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            // Written aside and renamed: a reader of the folder never sees half a mail. Only its owner may read it.
            let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&folder)?;
            file.write_all(&envelope.mime)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        match write() {
            Ok(()) => Ok(SendReceipt {
                reference: path.display().to_string(),
            }),
            Err(error) => Err(SendError::Retry(format!(
                "the mail could not be written to `{}` ({error}); check that the folder is writable and the disk has room",
                path.display()
            ))),
        }
    }
}
