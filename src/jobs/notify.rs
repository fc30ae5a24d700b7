//! Mails a day's report.
//!
//! 1. Write the mail for each recipient and queue it, unless the day's mail was written before.
//! 2. Send what waits.
//! 3. Succeed only if every recipient of the day has the mail.

use anyhow::{Context, Result, bail};

use super::send::{Sender, drain};
use crate::{
    domain::{
        message::{Message, MessageKind},
        report::{DailyReport, Moved, Restatement},
        run::JobStatus,
    },
    notify::{
        mime,
        render::{self, DailyMail, To},
    },
    store::{
        Store, mail_reader,
        outbox::{self, Enqueued, Mail, MailState, Which},
        report::{keep_mailed_report, mailed_report},
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
    /// Where people reach this server: there they unsubscribe. None where they do not.
    pub public_url: Option<&'a str>,
}

impl Addresses<'_> {
    /// Where whoever has `address` unsubscribes.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn unsubscribe_url(&self, store: &Store, address: &str) -> Result<Option<String>> {
        let Some(public_url) = self.public_url else {
            return Ok(None);
        };
        let token = mail_reader::token(&*store.connection()?, address)?;
        Ok(Some(format!(
            "{}/unsubscribe/{token}",
            public_url.trim_end_matches('/')
        )))
    }
}

/// The mails of a day, by what became of them when they were to be queued.
#[derive(Debug, Default, Clone, Copy)]
struct Queued {
    /// Written.
    new: u64,
    /// There before.
    known: u64,
    /// Not written, as their readers unsubscribed.
    unsubscribed: u64,
}

/// For whom a day's mail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// For everybody, unless the day's mail was written before: who is on the list since then gets no mail of an old day.
    FirstReaders,
    /// For everybody who does not have it, as a person asked for.
    Everybody,
}

/// Queues the day's mail, then sends. Without recipients there is nothing to do.
///
/// # Errors
/// When a template does not fit, an address is not one, the ledger cannot be written, a recipient who did not unsubscribe
/// does not have the mail afterwards, or the run was cancelled.
pub fn notify(
    store: &Store,
    sender: Sender<'_>,
    templates: &Templates,
    mail: &DailyMail<'_>,
    addresses: Addresses<'_>,
    readers: For,
) -> Result<JobStatus> {
    if addresses.to.is_empty() {
        tracing::warn!("nobody is mailed the daily report: no recipient is set, see `--mail-to`");
        return Ok(JobStatus::idle());
    }
    let day = mail.report.day;
    let was_mailed = mailed_report(store, day)?.is_some();
    let is_closed = was_mailed && readers == For::FirstReaders;
    let queued = queue(store, templates, mail, addresses, is_closed)
        .with_context(|| format!("failed to queue the daily mail of {day}"))?;
    if !was_mailed {
        keep_mailed_report(store, day, &mail.report.figures())?;
    }
    let drained = drain(store, Which::Other, sender)?;
    check_delivered(store, &day.to_string())?;
    let status = JobStatus::done()
        .count("mails_queued", queued.new)
        .count("mails_known", queued.known)
        .count("mails_sent", drained.sent);
    let unsubscribed = queued.unsubscribed + drained.unsubscribed;
    Ok(if unsubscribed > 0 {
        status.count("mails_unsubscribed", unsubscribed)
    } else {
        status
    })
}

/// Writes the mails; where the list `is_closed`, nobody comes onto it.
fn queue(
    store: &Store,
    templates: &Templates,
    mail: &DailyMail<'_>,
    addresses: Addresses<'_>,
    is_closed: bool,
) -> Result<Queued> {
    let mut queued = Queued::default();
    for recipient in addresses.to {
        let id = MessageKind::DailyReport.message_id(&mail.report.day.to_string(), recipient);
        if is_closed && outbox::get(&*store.connection()?, id)?.is_none() {
            continue;
        }
        let unsubscribe_url = addresses.unsubscribe_url(store, recipient)?;
        let to = To {
            address: recipient,
            unsubscribe_url: unsubscribe_url.as_deref(),
        };
        let message = render::daily_report(templates, mail, to)?;
        match queue_message(store, &message, addresses.from)? {
            Enqueued::Queued => queued.new += 1,
            Enqueued::AlreadyThere => queued.known += 1,
            Enqueued::Unsubscribed => queued.unsubscribed += 1,
        }
    }
    Ok(queued)
}

/// Queues word that the day was restated for those who have its mail from before that, if a figure moved by more than
/// `percent` from what the mailed report said. Once a day: who was told looks at the page.
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
    let (Some(restatement), Some(mailed)) = (&report.restatement, mailed_report(store, report.day)?) else {
        return Ok(0);
    };
    let restatement = Restatement {
        restated_at: restatement.restated_at,
        moved: Moved::since(&mailed, &report.headlines),
    };
    if restatement.largest_move() * 100.0 <= f64::from(percent) {
        return Ok(0);
    }
    let restated = DailyReport {
        restatement: Some(restatement.clone()),
        ..report.clone()
    };
    let mail = DailyMail {
        report: &restated,
        ..*mail
    };
    let mut queued = 0;
    for recipient in addresses.to {
        let first = MessageKind::DailyReport.message_id(&report.day.to_string(), recipient);
        let first = outbox::get(&*store.connection()?, first)?;
        let has_it = |first: &Mail| first.state == MailState::Sent && first.created_at < restatement.restated_at;
        if !first.is_some_and(|(first, _)| has_it(&first)) {
            continue;
        }
        let unsubscribe_url = addresses.unsubscribe_url(store, recipient)?;
        let to = To {
            address: recipient,
            unsubscribe_url: unsubscribe_url.as_deref(),
        };
        let message = render::restatement(templates, &mail, to)?;
        if queue_message(store, &message, addresses.from)? == Enqueued::Queued {
            queued += 1;
        }
    }
    if queued > 0 {
        keep_mailed_report(store, report.day, &report.figures())?;
    }
    Ok(queued)
}

/// Queues one mail, unless it was queued before or its reader has unsubscribed. It leaves with the next run that sends.
///
/// # Errors
/// When an address is not one, or the ledger cannot be written.
pub fn queue_message(store: &Store, message: &Message, from: &str) -> Result<Enqueued> {
    let now = store.clock().now();
    let envelope = mime::seal(message, from, now)?;
    Ok(outbox::enqueue(&*store.connection()?, &envelope, now)?)
}

/// A run that delivered nothing must not look like one that did.
fn check_delivered(store: &Store, topic: &str) -> Result<()> {
    let about = Some((MessageKind::DailyReport, topic));
    let connection = store.connection()?;
    let open: Vec<_> = outbox::counts(&connection, about)?
        .into_iter()
        .filter(|count| !matches!(count.state, MailState::Sent | MailState::Discarded))
        .map(|count| format!("{} {}", count.mails, count.state.name()))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let why = outbox::why_open(&connection, MessageKind::DailyReport, topic)?;
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    bail!(
        "not every recipient has the daily mail of {topic} ({}){why}; see `deloton outbox`",
        open.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        domain::{cancel::Cancel, report::HeadlineKey},
        jobs::send::Turns,
        notify::Notifier,
        report::sample_days,
        store::fixture::open,
    };

    const CEO: &str = "ceo@x.example";
    const NEW: &str = "new@x.example";

    /// A store, and somewhere for its mails to go.
    struct World {
        store: Store,
        notifier: Notifier,
        templates: Templates,
        runtime: tokio::runtime::Runtime,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            World {
                store: open(&folder),
                notifier: Notifier::outbox(folder.path().join("outbox")),
                templates: Templates::load(None).unwrap(),
                runtime: tokio::runtime::Runtime::new().unwrap(),
                _folder: folder,
            }
        }

        /// Has the mail written; answers how many there are that were not before.
        fn mailed(&self, report: &DailyReport, to: &[&str], readers: For) -> u64 {
            self.run(report, to, readers).counts["mails_queued"]
        }

        fn run(&self, report: &DailyReport, to: &[&str], readers: For) -> JobStatus {
            let to: Vec<_> = to.iter().map(|&to| to.to_owned()).collect();
            let (mail, addresses) = (mail(report), addresses(&to));
            let sender = Sender {
                by: &|_| &self.notifier,
                runtime: self.runtime.handle(),
                cancel: &Cancel::default(),
                turns: &Turns::default(),
            };
            notify(&self.store, sender, &self.templates, &mail, addresses, readers).unwrap()
        }

        fn restated(&self, report: &DailyReport, percent: u32) -> u64 {
            let to = [CEO.to_owned(), NEW.to_owned()];
            queue_restatement(&self.store, &self.templates, &mail(report), percent, addresses(&to)).unwrap()
        }
    }

    fn mail(report: &DailyReport) -> DailyMail<'_> {
        DailyMail {
            report,
            pdf: b"pdf",
            chart_png: &[],
            page_url: Some("https://x.example/daily/index.html"),
            index_url: None,
        }
    }

    fn addresses(to: &[String]) -> Addresses<'_> {
        Addresses {
            from: "Deloton <reports@x.example>",
            to,
            public_url: Some("https://bikes.example/"),
        }
    }

    fn report() -> DailyReport {
        sample_days().into_iter().next().unwrap()
    }

    /// The report with another figure, restated some hours after now; its page says what moved since the first report.
    fn restated(store: &Store, key: HeadlineKey, value: f64, hours: i64) -> DailyReport {
        let mut report = report();
        let headline = report
            .headlines
            .iter_mut()
            .find(|headline| headline.key == key)
            .unwrap();
        headline.value = Some(value);
        let moved = Moved {
            key,
            before: Some(100.0),
            after: Some(value),
        };
        report.restatement = Some(Restatement {
            restated_at: store.clock().now() + TimeDelta::hours(hours),
            moved: vec![moved],
        });
        report
    }

    #[test]
    fn who_has_the_mail_of_a_restated_day_is_told_once_if_it_moved_enough_from_what_the_mail_said() {
        let world = World::new();
        assert_eq!(world.mailed(&report(), &[CEO], For::FirstReaders), 1);
        assert_eq!(world.restated(&report(), 0), 0, "nothing was restated");
        let by_chance = restated(&world.store, HeadlineKey::PowerWattsMax, 2_000.0, 1);
        assert_eq!(world.restated(&by_chance, 10), 0);
        let more = |hours| restated(&world.store, HeadlineKey::Rides, 3_480.0, hours);
        assert_eq!(world.restated(&more(-1), 0), 0, "the mail said so");
        // The first report had 100 rides; the mailed one 3,412, of which the 68 more are two percent.
        assert_eq!(world.restated(&more(1), 2), 0, "not more than two percent");
        assert_eq!(world.restated(&more(1), 1), 1, "who never had the mail is not told");
        assert_eq!(world.restated(&more(1), 1), 0, "once");
        let connection = world.store.connection().unwrap();
        let mails = outbox::list(&connection, None, 10).unwrap();
        let told = mails.iter().find(|mail| mail.kind == "restatement").unwrap();
        let (_, bytes) = outbox::get(&connection, told.message_id).unwrap().unwrap();
        let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        let text = mail.body_text(0).unwrap();
        assert!(
            text.contains("68 more rides arrived") && text.contains("Rides 3,412 → 3,480"),
            "{text}"
        );
    }

    #[test]
    fn who_is_on_the_list_since_then_gets_no_mail_of_an_old_day_unless_a_person_asks() {
        let world = World::new();
        assert_eq!(world.mailed(&report(), &[CEO], For::FirstReaders), 1);
        let again = restated(&world.store, HeadlineKey::Rides, 6_000.0, 1);
        assert_eq!(world.mailed(&again, &[CEO, NEW], For::FirstReaders), 0);
        assert_eq!(world.mailed(&again, &[CEO, NEW], For::Everybody), 1);
    }

    #[test]
    fn a_run_for_those_alone_who_unsubscribed_does_well_and_counts_them() {
        let world = World::new();
        let connection = world.store.connection().unwrap();
        mail_reader::unsubscribe(&connection, CEO, world.store.clock().now()).unwrap();
        let status = world.run(&report(), &[CEO], For::Everybody);
        assert_eq!(
            (status.counts["mails_queued"], status.counts["mails_unsubscribed"]),
            (0, 1)
        );
        mail_reader::resubscribe(&connection, CEO).unwrap();
        let status = world.run(&report(), &[CEO], For::Everybody);
        assert_eq!(status.counts["mails_sent"], 1);
        assert_eq!(status.counts.get("mails_unsubscribed"), None);
    }

    #[test]
    fn a_mail_that_waits_when_its_reader_unsubscribes_is_discarded_and_fails_no_run() {
        let world = World::new();
        let report = report();
        let connection = world.store.connection().unwrap();
        let to = [CEO.to_owned()];
        queue(&world.store, &world.templates, &mail(&report), addresses(&to), false).unwrap();
        mail_reader::unsubscribe(&connection, CEO, world.store.clock().now()).unwrap();
        let status = world.run(&report, &[CEO], For::Everybody);
        assert_eq!(status.counts["mails_sent"], 0);
        assert!(status.counts["mails_unsubscribed"] >= 1, "{status:?}");
        let listed = outbox::list(&connection, Some(MailState::Discarded), 10).unwrap();
        assert_eq!(listed[0].detail.as_deref(), Some("unsubscribed"));
    }

    #[test]
    fn each_reader_has_a_link_of_their_own_that_is_the_same_in_every_mail() {
        let world = World::new();
        let to = [CEO.to_owned(), NEW.to_owned()];
        let link = |to: &str| addresses(&[]).unsubscribe_url(&world.store, to).unwrap().unwrap();
        assert_eq!(link(CEO), link(CEO));
        assert_ne!(link(CEO), link(NEW));
        assert!(
            link(CEO).starts_with("https://bikes.example/unsubscribe/"),
            "{}",
            link(CEO)
        );
        queue(&world.store, &world.templates, &mail(&report()), addresses(&to), false).unwrap();
        let connection = world.store.connection().unwrap();
        for own in [CEO, NEW] {
            let id = MessageKind::DailyReport.message_id(&report().day.to_string(), own);
            let (_, bytes) = outbox::get(&connection, id).unwrap().unwrap();
            let sent = mail_parser::MessageParser::default().parse(&bytes).unwrap();
            let other = if own == CEO { NEW } else { CEO };
            for part in [sent.body_text(0).unwrap(), sent.body_html(0).unwrap()] {
                assert!(part.contains(&link(own)) && !part.contains(&link(other)), "{part}");
            }
        }
    }

    #[test]
    fn the_fattest_day_is_not_cut_by_mail_readers() {
        let url = format!("https://{}.example/daily/2025-03-04/index.html", "reports.".repeat(20));
        let own = format!("https://bikes.example/unsubscribe/{}", "0f".repeat(16));
        for mut report in sample_days() {
            report.quality.alerts = 1_000_000;
            report.quality.has_many_alerts = true;
            report.quality.lines.rejected = 1_000_000;
            report.seal_count = 9;
            for headline in &mut report.headlines {
                headline.value = headline.value.map(|value| value * 1e6);
            }
            let mail = DailyMail {
                chart_png: b"png",
                page_url: Some(&url),
                index_url: Some(&url),
                ..mail(&report)
            };
            let to = To {
                address: CEO,
                unsubscribe_url: Some(&own),
            };
            let message = render::daily_report(&Templates::load(None).unwrap(), &mail, to).unwrap();
            // Encoded for the way, letters beyond ASCII and the ends of lines take more.
            let sealed = mime::seal(&message, "reports@x.example", report.ends_at).unwrap();
            assert!(sealed.mime.len() < render::HTML_MAX_BYTES, "{}", sealed.mime.len());
            assert!(message.html.len() > 5_000, "it is the mail with everything in it");
        }
    }
}
