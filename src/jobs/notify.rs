//! Mails a day's report.
//!
//! 1. Write the mail for each recipient and queue it, unless it was queued before.
//! 2. Send what waits.
//! 3. Succeed only if every recipient of the day has the mail.

use anyhow::{Context, Result, bail};
use tokio::runtime::Handle;

use super::send::drain;
use crate::{
    domain::{
        message::{Message, MessageKind},
        run::JobStatus,
    },
    notify::{
        Notifier, mime,
        render::{self, DailyMail},
    },
    store::{
        Store,
        outbox::{self, Enqueued, MailState, Which},
    },
    template::Templates,
};

/// Who mail comes from and goes to.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// The sender, `Name <address>`.
    pub from: &'a str,
    /// The daily report's recipients.
    pub to: &'a [String],
}

/// Queues the day's mail for each recipient, then sends. Without recipients there is nothing to do.
///
/// # Errors
/// When a template does not fit, an address is not one, the ledger cannot be written, or a recipient does not have the
/// mail afterwards.
pub fn notify(
    store: &Store,
    notifier: &Notifier,
    templates: &Templates,
    mail: &DailyMail<'_>,
    addresses: Addresses<'_>,
    runtime: &Handle,
) -> Result<JobStatus> {
    if addresses.to.is_empty() {
        tracing::warn!("nobody is mailed the daily report: no recipient is set, see `--mail-to`");
        return Ok(JobStatus::idle().count("recipients", 0));
    }
    let day = mail.report.day;
    let (queued, known) =
        queue(store, templates, mail, addresses).with_context(|| format!("failed to queue the daily mail of {day}"))?;
    let drained = drain(store, Which::Other, &|_| notifier, runtime)?;
    check_delivered(store, &day.to_string(), drained.reason.as_deref())?;
    Ok(JobStatus::done()
        .count("mails_queued", queued)
        .count("mails_known", known)
        .count("mails_sent", drained.sent))
}

fn queue(store: &Store, templates: &Templates, mail: &DailyMail<'_>, addresses: Addresses<'_>) -> Result<(u64, u64)> {
    let (mut queued, mut known) = (0, 0);
    for recipient in addresses.to {
        let message = render::daily_report(templates, mail, recipient)?;
        match queue_message(store, &message, addresses.from)? {
            Enqueued::Queued => queued += 1,
            Enqueued::AlreadyThere => known += 1,
        }
    }
    Ok((queued, known))
}

/// Queues one mail, unless it was queued before. It leaves with the next run that sends.
///
/// # Errors
/// When an address is not one, or the ledger cannot be written.
pub fn queue_message(store: &Store, message: &Message, from: &str) -> Result<Enqueued> {
    let now = store.clock().now();
    let envelope = mime::seal(message, from, now)?;
    Ok(outbox::enqueue(&*store.connection()?, &envelope, now)?)
}

/// A run that delivered nothing must not look like one that did.
fn check_delivered(store: &Store, topic: &str, reason: Option<&str>) -> Result<()> {
    let counts = outbox::counts(&*store.connection()?, Some((MessageKind::DailyReport, topic)))?;
    let open: Vec<_> = counts
        .into_iter()
        .filter(|count| !matches!(count.state, MailState::Sent | MailState::Discarded))
        .map(|count| format!("{} {}", count.mails, count.state.name()))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    bail!(
        "not every recipient has the daily mail of {topic} ({}){reason}; see `deloton outbox`",
        open.join(", ")
    );
}
