//! Mail as files: what the laptop does in place of SES.

use std::{fs, io::Write, path::PathBuf};

use chrono::{DateTime, NaiveDate, Utc};

use super::{SendError, SendReceipt};
use crate::domain::message::Envelope;

/// Writes each mail to `<folder>/<day>/<kind>-<id>.eml`, the day being the mail's topic where that is one, else today.
#[derive(Debug)]
pub struct OutboxDirectory {
    folder: PathBuf,
}

impl OutboxDirectory {
    pub(super) fn new(folder: PathBuf) -> Self {
        OutboxDirectory { folder }
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
