//! Sends the mails about heart-rate alerts, which wait for no other mail.

use anyhow::Result;
use tokio::runtime::Handle;

use super::send::send;
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
) -> Result<JobStatus> {
    let by = |recipient: &str| if is_reserved(recipient) { folder } else { notifier };
    send(store, Which::Urgent, &by, runtime, cancel)
}
