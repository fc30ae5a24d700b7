//! Sends the mails about heart-rate alerts, which wait for no other mail.

use anyhow::Result;
use tokio::runtime::Handle;

use super::send::{Sender, Turns, send};
use crate::{
    domain::{cancel::Cancel, message::is_reserved, run::JobStatus},
    notify::Notifier,
    store::{Store, outbox::Which},
};

/// Sends every alert's mail that is due. One to an address that cannot exist, as simulated riders have, goes to the
/// `folder` whatever else is set.
///
/// # Errors
/// When a mail could not be sent, saying why; all others were sent all the same. When the ledger cannot be read or
/// written, or the run was cancelled.
pub fn run(
    store: &Store,
    notifier: &Notifier,
    folder: &Notifier,
    runtime: &Handle,
    cancel: &Cancel,
    turns: &Turns,
) -> Result<JobStatus> {
    let sender = Sender {
        by: &|recipient| if is_reserved(recipient) { folder } else { notifier },
        runtime,
        cancel,
        turns,
    };
    send(store, Which::Urgent, sender)
}
