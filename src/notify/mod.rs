//! Mail: from numbers to words, from words to bytes, from here to there. The send ledger is the store's and the jobs'.

pub mod mime;
mod outbox_dir;
pub mod render;
mod ses;

use std::{collections::HashSet, path::PathBuf};

use chrono::{DateTime, Utc};

use uuid::Uuid;

pub use outbox_dir::OutboxDirectory;
pub use ses::Ses;

pub use crate::domain::message::{SendError, SendReceipt};
use crate::{config::aws, domain::message::Envelope};

/// How mail leaves.
#[derive(Debug)]
pub enum Notifier {
    /// `.eml` files in a folder.
    Outbox(OutboxDirectory),
    /// Amazon SES, or a service that speaks its protocol.
    Ses(Ses),
}

impl Notifier {
    /// A notifier that writes `.eml` files below `folder`.
    #[must_use]
    pub fn outbox(folder: impl Into<PathBuf>) -> Notifier {
        Notifier::Outbox(OutboxDirectory::new(folder.into()))
    }

    /// A notifier that hands mail to SES, all of it to `instead_to` where that is given. Region and credentials come
    /// from where AWS's own tools look for them; `endpoint_url` names another service of that protocol.
    pub async fn ses(endpoint_url: Option<&str>, instead_to: Option<String>) -> Notifier {
        Notifier::Ses(Ses::new(&aws::load(endpoint_url).await, instead_to))
    }

    /// Deletes the files of mails that left as such; answers how many there were. What SES has sent is gone.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file of it not deleted.
    pub fn delete(&self, mails: &HashSet<Uuid>) -> std::io::Result<u64> {
        match self {
            Notifier::Outbox(outbox) => outbox.delete(mails),
            Notifier::Ses(_) => Ok(0),
        }
    }

    /// Sends one mail.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, envelope: &Envelope, now: DateTime<Utc>) -> Result<SendReceipt, SendError> {
        match self {
            Notifier::Outbox(outbox) => outbox.write(envelope, now),
            Notifier::Ses(ses) => ses.send(envelope).await,
        }
    }
}
