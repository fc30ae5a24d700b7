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
        return Ok(JobStatus::idle());
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

/// Queues word that the day was restated for those who have its mail from before that, if a figure moved by more than
/// `percent`. Once a day: who was told looks at the page.
///
/// # Errors
/// When a template does not fit, an address is not one, or the ledger cannot be read or written.
pub fn queue_restatement(
    store: &Store,
    templates: &Templates,
    mail: &DailyMail<'_>,
    percent: u32,
    addresses: Addresses<'_>,
) -> Result<u64> {
    let report = mail.report;
    let Some(restatement) = &report.restatement else {
        return Ok(0);
    };
    if restatement.largest_move() * 100.0 <= f64::from(percent) {
        return Ok(0);
    }
    let mut queued = 0;
    for recipient in addresses.to {
        let first = MessageKind::DailyReport.message_id(&report.day.to_string(), recipient);
        let first = outbox::get(&*store.connection()?, first)?;
        if first.is_none_or(|(first, _)| first.created_at >= restatement.restated_at) {
            continue;
        }
        let message = render::restatement(templates, mail, recipient)?;
        if queue_message(store, &message, addresses.from)? == Enqueued::Queued {
            queued += 1;
        }
    }
    Ok(queued)
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        domain::report::{HeadlineKey, Moved, Restatement},
        report::sample_days,
        store::fixture::open,
    };

    #[test]
    fn who_has_the_mail_of_a_restated_day_is_told_once_if_its_figures_moved_enough() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let templates = Templates::load(None).unwrap();
        let mailed_at = store.clock().now();
        let recipients = ["ceo@x.example".to_owned(), "new@x.example".to_owned()];
        let addresses = Addresses {
            from: "Deloton <reports@x.example>",
            to: &recipients,
        };
        let mut report = sample_days().into_iter().next().unwrap();
        let queued = |report: &crate::domain::report::DailyReport, percent: u32| {
            let mail = DailyMail {
                report,
                pdf: b"pdf",
                chart_png: &[],
                page_url: Some("https://x.example/daily/index.html"),
                index_url: None,
            };
            let known = outbox::topics(&store.connection().unwrap(), MessageKind::DailyReport).unwrap();
            if known.is_empty() {
                let message = render::daily_report(&templates, &mail, &recipients[0]).unwrap();
                queue_message(&store, &message, addresses.from).unwrap();
            }
            queue_restatement(&store, &templates, &mail, percent, addresses).unwrap()
        };
        assert_eq!(queued(&report, 0), 0, "nothing was restated");
        let moved = Moved {
            key: HeadlineKey::Rides,
            before: Some(100.0),
            after: Some(103.0),
        };
        let mut restate = |restated_at, moved| {
            report.restatement = Some(Restatement {
                restated_at,
                moved: vec![moved],
            });
            report.clone()
        };
        let after = mailed_at + TimeDelta::hours(1);
        let by_chance = Moved {
            key: HeadlineKey::PowerWattsMax,
            after: Some(1_000.0),
            ..moved
        };
        assert_eq!(queued(&restate(after, by_chance), 10), 0);
        assert_eq!(
            queued(&restate(mailed_at - TimeDelta::hours(1), moved), 0),
            0,
            "the mail said so"
        );
        let restated = restate(after, moved);
        assert_eq!(queued(&restated, 3), 0, "not more than three percent");
        assert_eq!(queued(&restated, 2), 1, "who never had the first mail is not told");
        assert_eq!(queued(&restated, 2), 0, "once");
        let connection = store.connection().unwrap();
        let mails = outbox::list(&connection, None, 10).unwrap();
        let told = mails.iter().find(|mail| mail.kind == "restatement").unwrap();
        let (_, bytes) = outbox::get(&connection, told.message_id).unwrap().unwrap();
        let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        let text = mail.body_text(0).unwrap();
        assert!(
            text.contains("3 more rides arrived") && text.contains("Rides 100 → 103"),
            "{text}"
        );
    }
}
