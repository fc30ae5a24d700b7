//! Mail: from numbers to words, from words to bytes, from here to there. The send ledger is the store's and the jobs'.

pub mod mime;
mod outbox_dir;
pub mod render;
mod ses;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use outbox_dir::OutboxDirectory;
pub use ses::Ses;

use crate::{config::aws, domain::message::Envelope};

/// How mail leaves.
#[derive(Debug)]
pub enum Notifier {
    /// `.eml` files in a folder.
    Outbox(OutboxDirectory),
    /// Amazon SES, or a service that speaks its protocol.
    Ses(Ses),
}

/// What a notifier answers for a mail it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// The service's own id of the mail, or the file it is in.
    pub reference: String,
}

/// Why a mail was not sent, or is not known to have been. The text says what the person can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It was not sent, and may be later: the service is out of reach, busy or not set up.
    #[error("{0}")]
    Retry(String),
    /// It was not sent, and will not be as it is.
    #[error("{0}")]
    Dead(String),
    /// It may have been sent: the answer was lost.
    #[error("{0}")]
    Unknown(String),
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
