//! Sends what waits in the send ledger.
//!
//! 1. Note what an earlier run was sending and could not record: it is not known whether it left.
//! 2. Discard what waits for those who unsubscribed since it was queued.
//! 3. Claim the oldest mail that is due; from here on a crash shows.
//! 4. Hand it to the notifier.
//! 5. Record what became of it.
//!
//! Until nothing is due, or until the service cannot take more: then the rest waits for the next run.

use std::{collections::HashSet, sync::Mutex};

use anyhow::{Result, bail};
use tokio::runtime::Handle;

use crate::{
    domain::{cancel::Cancel, run::JobStatus},
    notify::{Notifier, SendError},
    store::{
        Store,
        outbox::{self, MailState, Settlement, Which},
    },
};

/// What a drain did.
#[derive(Debug, Default)]
pub struct Drained {
    /// Mails sent.
    pub sent: u64,
    /// Mails discarded, as their readers unsubscribed.
    pub unsubscribed: u64,
    /// Mails that were not, and where each stands now.
    pub failed: Vec<MailState>,
    /// Why the last of them was not.
    pub reason: Option<String>,
}

/// Who sends the mails for a recipient.
pub type By<'n> = &'n dyn Fn(&str) -> &'n Notifier;

/// Whose turn it is to send. Of two that sent the same mails at once, one would take for lost what the other has in hand.
#[derive(Debug, Default)]
pub struct Turns {
    urgent: Mutex<()>,
    other: Mutex<()>,
    pub(super) rides: Mutex<()>,
}

/// What mails are sent with.
#[derive(Clone, Copy)]
pub struct Sender<'s> {
    /// Where to.
    pub by: By<'s>,
    /// Waits for it.
    pub runtime: &'s Handle,
    /// Raised when no more are to be sent.
    pub cancel: &'s Cancel,
    /// Everybody's who sends from this ledger.
    pub turns: &'s Turns,
}

/// Sends every one of `which` mails that is due.
///
/// # Errors
/// When a mail could not be sent or may not have been, saying why; all others were sent all the same. When the ledger
/// cannot be read or written, or the run was cancelled.
pub fn send(store: &Store, which: Which, sender: Sender<'_>) -> Result<JobStatus> {
    let Drained {
        sent,
        unsubscribed,
        failed,
        reason,
    } = drain(store, which, sender)?;
    if let Some(reason) = reason {
        let states: Vec<_> = failed.iter().map(|state| state.name()).collect();
        bail!(
            "mails not sent: {} of {} (now {}): {reason}",
            failed.len(),
            failed.len() as u64 + sent,
            states.join(", ")
        );
    }
    Ok(match (sent, unsubscribed) {
        (0, 0) => JobStatus::idle(),
        (sent, 0) => JobStatus::done().count("mails_sent", sent),
        (sent, unsubscribed) => JobStatus::done()
            .count("mails_sent", sent)
            .count("mails_unsubscribed", unsubscribed),
    })
}

/// Sends every one of `which` mails that is due, and says what became of them.
///
/// # Errors
/// When the ledger cannot be read or written, or the run was cancelled: between two mails, so that what became of each is
/// known.
pub fn drain(store: &Store, which: Which, sender: Sender<'_>) -> Result<Drained> {
    let Sender {
        by,
        runtime,
        cancel,
        turns,
    } = sender;
    let _turn = cancel.lock(match which {
        Which::Urgent => &turns.urgent,
        Which::Other => &turns.other,
    })?;
    let clock = store.clock();
    // A connection for each step alone: a service may take its time, and nobody is to wait for it but its mails.
    let left = outbox::recover(&*store.connection()?, Some(which), clock.now())?;
    if left > 0 {
        tracing::warn!(
            mails = left,
            "it could not be recorded what became of mails; see `deloton outbox`"
        );
    }
    let mut drained = Drained {
        unsubscribed: outbox::discard_unsubscribed(&*store.connection()?, clock.now())? as u64,
        ..Drained::default()
    };
    loop {
        cancel.check()?;
        let Some(envelope) = outbox::claim(&*store.connection()?, which, clock.now())? else {
            break;
        };
        let settlement = match runtime.block_on(by(&envelope.recipient).send(&envelope, clock.now())) {
            Ok(receipt) => Settlement::Sent(receipt.reference),
            Err(SendError::Retry(reason)) => Settlement::Retry(reason),
            Err(SendError::Dead(reason)) => Settlement::Dead(reason),
            Err(SendError::Unknown(reason)) => Settlement::Unknown(reason),
        };
        let state = outbox::settle(&*store.connection()?, &envelope, &settlement, clock.now())?;
        if state == MailState::Discarded {
            // It was erased while it was being written.
            by(&envelope.recipient).delete(&HashSet::from([envelope.message_id]))?;
        }
        match settlement {
            Settlement::Sent(_) => drained.sent += 1,
            Settlement::Retry(reason) | Settlement::Dead(reason) | Settlement::Unknown(reason) => {
                let kind = envelope.kind.name();
                tracing::warn!(message.id = %envelope.message_id, message.kind = kind, state = state.name(), reason, "a mail was not sent");
                drained.failed.push(state);
                drained.reason = Some(reason);
            }
        }
        if state == MailState::Waiting {
            break;
        }
    }
    Ok(drained)
}
