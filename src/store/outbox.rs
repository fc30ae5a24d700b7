//! The send ledger: one row per (kind, topic, recipient) for ever, written before the call that sends it.
//!
//! ```text
//!            enqueue            claim            settle
//!   nothing ────────▶ waiting ────────▶ sending ────────▶ sent | dead | unknown, or waiting again
//!                        │ ▲                │ crash, seen at start
//!                        │ └── resend ──────┴──▶ unknown (waiting, if it is urgent)
//!                        └────────────────────▶ discarded, by a person or as its reader unsubscribed
//! ```
//!
//! Each step is one statement and its own commit, so a crash leaves one of these states and never one between.

use chrono::{DateTime, SecondsFormat, Utc};
use duckdb::{Connection, OptionalExt, Row, params};
use uuid::Uuid;

use super::{Doing, Result, StoreError, is_conflict, mail_reader};
use crate::domain::message::{Envelope, MessageKind};

/// After so many attempts, about three days, a mail that could not be sent is dead.
pub const MAX_ATTEMPTS: i32 = 72;

/// The same for what is urgent: about four hours. A warning about a heart rate is of no use to anybody a day later.
const MAX_URGENT_ATTEMPTS: i32 = 10;

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailState {
    /// To be sent.
    Waiting,
    /// Being sent; after a crash, see [`recover`].
    Sending,
    /// Sent.
    Sent,
    /// Not sent, and will not be unless a person says so.
    Dead,
    /// Perhaps sent: a person decides.
    Unknown,
    /// Given up by a person, or as its reader unsubscribed.
    Discarded,
}

impl MailState {
    /// Every state.
    pub const ALL: [MailState; 6] = [
        MailState::Waiting,
        MailState::Sending,
        MailState::Sent,
        MailState::Dead,
        MailState::Unknown,
        MailState::Discarded,
    ];

    /// The name used in the ledger and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MailState::Waiting => "waiting",
            MailState::Sending => "sending",
            MailState::Sent => "sent",
            MailState::Dead => "dead",
            MailState::Unknown => "unknown",
            MailState::Discarded => "discarded",
        }
    }

    /// The state called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        MailState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A row of the ledger, without the mail itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The mail's id.
    pub message_id: Uuid,
    /// Its kind's name.
    pub kind: String,
    /// What makes it the only one of its kind for this recipient.
    pub topic: String,
    /// The address it goes to.
    pub recipient: String,
    /// Where it stands.
    pub state: MailState,
    /// Subject line.
    pub subject: String,
    /// SHA-256 of what it says.
    pub content_hash: String,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was tried last.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it got to a state that only a person changes.
    pub settled_at: Option<DateTime<Utc>>,
    /// The service's reference, or what went wrong.
    pub detail: Option<String>,
}

/// What [`enqueue`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The mail waits to be sent.
    Queued,
    /// There was one of this kind and topic for this recipient already, in whatever state; nothing changed.
    AlreadyThere,
    /// Its reader has unsubscribed; nothing changed.
    Unsubscribed,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Sent; the service's reference.
    Sent(String),
    /// Not sent; try again later. After [`MAX_ATTEMPTS`] it is dead.
    Retry(String),
    /// Not sent, and pointless to repeat.
    Dead(String),
    /// Perhaps sent. What is urgent is tried again, everything else is for a person to decide.
    Unknown(String),
}

/// Queues a mail, once; a notice not to whoever has unsubscribed.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn enqueue(connection: &Connection, envelope: &Envelope, now: DateTime<Utc>) -> Result<Enqueued> {
    if envelope.kind.is_notice() && mail_reader::is_unsubscribed(connection, &envelope.recipient)? {
        return Ok(Enqueued::Unsubscribed);
    }
    let inserted = connection
        .execute(
            include_str!("sql/outbox_enqueue.sql"),
            params![
                envelope.message_id.to_string(),
                envelope.kind.name(),
                envelope.topic,
                envelope.recipient,
                envelope.subject,
                envelope.content_hash,
                envelope.mime,
                text(now)
            ],
        )
        .doing(|| {
            format!(
                "failed to queue the {} mail of `{}`",
                envelope.kind.name(),
                envelope.topic
            )
        })?;
    Ok(if inserted == 0 {
        Enqueued::AlreadyThere
    } else {
        Enqueued::Queued
    })
}

/// Which mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that cannot wait for others: heart-rate alerts.
    Urgent,
    /// All others.
    Other,
}

/// Takes the oldest of `which` mails that is due and marks it `sending`; none when nothing is due. A mail that failed is due again
/// a minute later, then two, four and so on, up to about an hour. A notice to whoever has unsubscribed is never taken.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn claim(connection: &Connection, which: Which, now: DateTime<Utc>) -> Result<Option<Envelope>> {
    claim_by(
        connection,
        include_str!("sql/outbox_claim.sql"),
        params![
            text(now),
            now.timestamp_micros(),
            MessageKind::HeartRateAlert.name(),
            which == Which::Urgent,
            notices()
        ],
    )
}

/// Discards the notices that wait for whoever has unsubscribed since they were queued; answers how many there were.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn discard_unsubscribed(connection: &Connection, now: DateTime<Utc>) -> Result<usize> {
    let discard = || {
        connection.execute(
            include_str!("sql/outbox_discard_unsubscribed.sql"),
            params![notices(), text(now)],
        )
    };
    let mut discarded = discard();
    while discarded.as_ref().is_err_and(is_conflict) {
        discarded = discard();
    }
    discarded.doing(|| "failed to discard mails to those who unsubscribed".to_owned())
}

/// The kinds that whoever has unsubscribed does not get, as SQL splits them.
fn notices() -> String {
    let notices = MessageKind::MAILS.into_iter().filter(|kind| kind.is_notice());
    notices.map(MessageKind::name).collect::<Vec<_>>().join(",")
}

/// The same for what is sent when rides end: the oldest of `kind` that is due. Word of a ride waits for its files.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn claim_of_ride(connection: &Connection, kind: MessageKind, now: DateTime<Utc>) -> Result<Option<Envelope>> {
    claim_by(
        connection,
        include_str!("sql/outbox_claim_of_ride.sql"),
        params![text(now), now.timestamp_micros(), kind.name()],
    )
}

fn claim_by(connection: &Connection, sql: &str, parameters: &[&dyn duckdb::ToSql]) -> Result<Option<Envelope>> {
    let claim = || {
        connection
            .query_row(sql, parameters, |row| Ok((row.get::<_, String>(1)?, envelope(row)?)))
            .optional()
    };
    let mut claimed = claim();
    // Another thread claimed the same mail in the same moment: one of the two is told, and looks again.
    while claimed.as_ref().is_err_and(is_conflict) {
        claimed = claim();
    }
    match claimed.doing(|| "failed to claim a waiting mail".to_owned())? {
        None => Ok(None),
        Some((_, Some(envelope))) => Ok(Some(envelope)),
        Some((kind, None)) => Err(StoreError::Inconsistent(format!(
            "the send ledger has a mail of unknown kind `{kind}`"
        ))),
    }
}

/// Records how the attempt on a claimed mail ended, and answers where the mail stands now.
///
/// # Errors
/// When the ledger cannot be written, or the mail is not being sent.
pub fn settle(
    connection: &Connection,
    envelope: &Envelope,
    settlement: &Settlement,
    now: DateTime<Utc>,
) -> Result<MailState> {
    let (state, detail) = match settlement {
        Settlement::Sent(reference) => (MailState::Sent, reference),
        Settlement::Retry(reason) => (MailState::Waiting, reason),
        Settlement::Dead(reason) => (MailState::Dead, reason),
        Settlement::Unknown(reason) if envelope.kind.is_urgent() => (MailState::Waiting, reason),
        Settlement::Unknown(reason) => (MailState::Unknown, reason),
    };
    // A program that is told of rides may be away for a day, and there are too many to ask a person about each.
    let attempts = if envelope.kind.is_of_ride() {
        i32::MAX
    } else if envelope.kind.is_urgent() {
        MAX_URGENT_ATTEMPTS
    } else {
        MAX_ATTEMPTS
    };
    let id = envelope.message_id.to_string();
    let settled: Option<String> = connection
        .query_row(
            include_str!("sql/outbox_settle.sql"),
            params![id, state.name(), detail, text(now), attempts],
            |row| row.get(0),
        )
        .optional()
        .doing(|| format!("failed to record what became of mail {id}"))?;
    if settled.is_none() && get(connection, envelope.message_id)?.is_none() {
        // It was erased meanwhile.
        return Ok(MailState::Discarded);
    }
    settled.and_then(|name| MailState::from_name(&name)).ok_or_else(|| {
        StoreError::Inconsistent(format!("mail {id} is not being sent, so its attempt cannot be settled"))
    })
}

/// What became of the mails that are marked as being sent was not recorded: the process ended, or the disk was full. Urgent
/// mail waits again; the rest becomes `unknown`, for a person to decide. Answers how many there were. To be called where
/// nobody is sending: at the start for everything, later for `which` by whoever's turn it is to send these.
///
/// # Errors
/// When the ledger cannot be written.
pub fn recover(connection: &Connection, which: Option<Which>, now: DateTime<Utc>) -> Result<usize> {
    let name = which.map(|which| match which {
        Which::Urgent => "urgent",
        Which::Other => "other",
    });
    recover_of(connection, name, now)
}

/// The same for what is sent when rides end: it waits again, since whoever is told twice knows it by its id. To be called by
/// whoever's turn it is to send these.
///
/// # Errors
/// When the ledger cannot be written.
pub fn recover_rides(connection: &Connection, now: DateTime<Utc>) -> Result<usize> {
    recover_of(connection, Some("rides"), now)
}

fn recover_of(connection: &Connection, which: Option<&str>, now: DateTime<Utc>) -> Result<usize> {
    connection
        .execute(
            include_str!("sql/outbox_recover.sql"),
            params![MessageKind::HeartRateAlert.name(), text(now), which],
        )
        .doing(|| "failed to look for messages whose end was not recorded".to_owned())
}

/// Why the newest attempt on a mail of `kind` and `topic` that is not sent, nor given up, did not succeed; none where there
/// was none.
///
/// # Errors
/// When the ledger cannot be read.
pub fn why_open(connection: &Connection, kind: MessageKind, topic: &str) -> Result<Option<String>> {
    connection
        .query_row(
            "select detail from ops.outbox
             where kind = ? and topic = ? and state not in ('sent', 'discarded') and detail is not null
             order by attempted_at desc limit 1",
            params![kind.name(), topic],
            |row| row.get(0),
        )
        .optional()
        .doing(|| format!("failed to look why the {} mail of `{topic}` is not sent", kind.name()))
}

/// How many messages are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateCount {
    /// The state.
    pub state: MailState,
    /// Mails.
    pub mails: u64,
    /// What leaves when rides end.
    pub exports: u64,
}

/// How many messages are in each state, of one kind and topic or of all; states without any are left out.
///
/// # Errors
/// When the ledger cannot be read.
pub fn counts(connection: &Connection, about: Option<(MessageKind, &str)>) -> Result<Vec<StateCount>> {
    let (kind, topic) = about.map(|(kind, topic)| (kind.name(), topic)).unzip();
    let read = || -> duckdb::Result<Vec<(String, u64, u64)>> {
        let mut statement = connection.prepare(include_str!("sql/outbox_counts.sql"))?;
        statement
            .query_map(params![kind, topic], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
    };
    let mut counts = read()
        .doing(|| "failed to count the mails".to_owned())?
        .into_iter()
        .map(|(name, all, exports)| {
            Ok(StateCount {
                state: known_state(&name)?,
                mails: all - exports,
                exports,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    counts.sort_unstable();
    Ok(counts)
}

/// What there are messages of `kind` about, whatever became of them.
///
/// # Errors
/// When the ledger cannot be read.
pub fn topics(connection: &Connection, kind: MessageKind) -> Result<Vec<String>> {
    let read = || -> duckdb::Result<Vec<String>> {
        let mut statement = connection.prepare(include_str!("sql/outbox_topics.sql"))?;
        statement.query_map(params![kind.name()], |row| row.get(0))?.collect()
    };
    read().doing(|| format!("failed to read what {} mails there are", kind.name()))
}

/// The newest mails, newest first; only those in `state` where it is given.
///
/// # Errors
/// When the ledger cannot be read.
pub fn list(connection: &Connection, state: Option<MailState>, limit: u32) -> Result<Vec<Mail>> {
    let read = || -> duckdb::Result<Vec<Mail>> {
        let mut statement = connection.prepare(include_str!("sql/outbox_list.sql"))?;
        statement
            .query_map(params![state.map(MailState::name), limit], mail)?
            .collect()
    };
    read().doing(|| "failed to list the mails".to_owned())
}

/// One mail and its bytes (RFC 5322); none when there is no such mail.
///
/// # Errors
/// When the ledger cannot be read.
pub fn get(connection: &Connection, message_id: Uuid) -> Result<Option<(Mail, Vec<u8>)>> {
    connection
        .query_row(
            include_str!("sql/outbox_get.sql"),
            params![message_id.to_string()],
            |row| Ok((mail(row)?, row.get("payload")?)),
        )
        .optional()
        .doing(|| format!("failed to read mail {message_id}"))
}

/// Lets a mail wait again, its attempts forgotten, whatever became of it before; false when there is no such mail or
/// it is being sent right now. The caller decides that sending twice is meant.
///
/// # Errors
/// When the ledger cannot be written.
pub fn resend(connection: &Connection, message_id: Uuid) -> Result<bool> {
    connection
        .execute(include_str!("sql/outbox_resend.sql"), params![message_id.to_string()])
        .map(|changed| changed > 0)
        .doing(|| format!("failed to queue mail {message_id} again"))
}

/// Gives up a mail that was not sent, for good: its row stays, so it is not queued anew. False when there is no such
/// mail, it was sent, or it is being sent.
///
/// # Errors
/// When the ledger cannot be written.
pub fn discard(connection: &Connection, message_id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    connection
        .execute(
            include_str!("sql/outbox_discard.sql"),
            params![message_id.to_string(), text(now)],
        )
        .map(|changed| changed > 0)
        .doing(|| format!("failed to discard mail {message_id}"))
}

/// An instant as the ledger takes it.
fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn known_state(name: &str) -> Result<MailState> {
    MailState::from_name(name)
        .ok_or_else(|| StoreError::Inconsistent(format!("the send ledger has a mail in the unknown state `{name}`")))
}

fn envelope(row: &Row<'_>) -> duckdb::Result<Option<Envelope>> {
    let Some(kind) = MessageKind::from_name(&row.get::<_, String>(1)?) else {
        return Ok(None);
    };
    Ok(Some(Envelope {
        message_id: uuid(row, 0)?,
        kind,
        topic: row.get(2)?,
        recipient: row.get(3)?,
        subject: row.get(4)?,
        content_hash: row.get(5)?,
        mime: row.get(6)?,
    }))
}

fn mail(row: &Row<'_>) -> duckdb::Result<Mail> {
    let at = |column: &str| -> duckdb::Result<Option<DateTime<Utc>>> {
        Ok(row
            .get::<_, Option<i64>>(column)?
            .and_then(DateTime::from_timestamp_micros))
    };
    let state: String = row.get("state")?;
    Ok(Mail {
        message_id: uuid(row, 0)?,
        kind: row.get("kind")?,
        topic: row.get("topic")?,
        recipient: row.get("recipient")?,
        state: MailState::from_name(&state)
            .ok_or_else(|| duckdb::Error::InvalidColumnType(4, state, duckdb::types::Type::Text))?,
        subject: row.get("subject")?,
        content_hash: row.get("content_hash")?,
        created_at: at("created_at")?.unwrap_or_default(),
        attempts: row.get("attempts")?,
        attempted_at: at("attempted_at")?,
        settled_at: at("settled_at")?,
        detail: row.get("detail")?,
    })
}

fn uuid(row: &Row<'_>, column: usize) -> duckdb::Result<Uuid> {
    let id: String = row.get(column)?;
    id.parse()
        .map_err(|_| duckdb::Error::InvalidColumnType(column, id, duckdb::types::Type::Text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::TimeDelta;

    use super::*;
    use crate::{clock::Clock, domain::message::Message, store::Store};

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-11-22T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn open(folder: &Path) -> Store {
        Store::open(folder, Clock::Fixed(at(0))).unwrap()
    }

    fn mail_to(kind: MessageKind, recipient: &str) -> Envelope {
        let message = Message {
            kind,
            topic: "2026-11-21".to_owned(),
            recipient: recipient.to_owned(),
            subject: "Deloton: ▲".to_owned(),
            text: String::new(),
            html: String::new(),
            images: Vec::new(),
            attachments: Vec::new(),
            unsubscribe_url: None,
        };
        Envelope {
            message_id: message.id(),
            kind,
            topic: message.topic.clone(),
            recipient: message.recipient.clone(),
            subject: message.subject.clone(),
            content_hash: message.content_hash(),
            mime: vec![0, 159, 146, 150, b'\r', b'\n'],
        }
    }

    fn daily(recipient: &str) -> Envelope {
        mail_to(MessageKind::DailyReport, recipient)
    }

    #[test]
    fn a_mail_is_queued_once_whatever_became_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        assert_eq!(
            enqueue(&connection, &daily("a@x.example"), at(0)).unwrap(),
            Enqueued::Queued
        );
        let again = || {
            let reworded = Envelope {
                content_hash: "other".to_owned(),
                ..daily("a@x.example")
            };
            enqueue(&connection, &reworded, at(1)).unwrap()
        };
        assert_eq!(again(), Enqueued::AlreadyThere);
        let claimed = claim(&connection, Which::Other, at(0)).unwrap().unwrap();
        assert_eq!(claimed, daily("a@x.example"));
        assert_eq!(again(), Enqueued::AlreadyThere);
        assert_eq!(claim(&connection, Which::Other, at(0)).unwrap(), None);
        settle(&connection, &claimed, &Settlement::Sent("ses-1".to_owned()), at(0)).unwrap();
        assert_eq!(again(), Enqueued::AlreadyThere);
        assert_eq!(claim(&connection, Which::Other, at(999)).unwrap(), None);
        let (mail, bytes) = get(&connection, claimed.message_id).unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.attempts, mail.detail.as_deref()),
            (MailState::Sent, 1, Some("ses-1"))
        );
        assert_eq!((mail.created_at, mail.settled_at), (at(0), Some(at(0))));
        assert_eq!(bytes, claimed.mime);
        assert_eq!(
            enqueue(&connection, &daily("b@x.example"), at(2)).unwrap(),
            Enqueued::Queued
        );
    }

    #[test]
    fn a_crash_while_sending_is_shown_and_only_what_is_urgent_is_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let urgent = mail_to(MessageKind::HeartRateAlert, "r@x.example");
        {
            let store = open(folder.path());
            let connection = store.connection().unwrap();
            enqueue(&connection, &daily("a@x.example"), at(0)).unwrap();
            enqueue(&connection, &urgent, at(1)).unwrap();
            enqueue(&connection, &daily("waits@x.example"), at(2)).unwrap();
            claim(&connection, Which::Other, at(2)).unwrap().unwrap();
            claim(&connection, Which::Urgent, at(2)).unwrap().unwrap();
        }
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        assert_eq!(recover(&connection, Some(Which::Other), at(5)).unwrap(), 1);
        assert_eq!(recover(&connection, None, at(5)).unwrap(), 1);
        assert_eq!(
            counts(&connection, None).unwrap(),
            [(MailState::Waiting, 2), (MailState::Unknown, 1)].map(|(state, mails)| StateCount {
                state,
                mails,
                exports: 0
            })
        );
        let next = |which| -> Vec<_> { std::iter::from_fn(|| claim(&connection, which, at(5)).unwrap()).collect() };
        assert_eq!(next(Which::Urgent), [urgent]);
        assert_eq!(next(Which::Other), [daily("waits@x.example")]);
        assert!(
            list(&connection, Some(MailState::Unknown), 9).unwrap()[0]
                .detail
                .as_ref()
                .unwrap()
                .contains("may")
        );
    }

    #[test]
    fn a_mail_that_fails_waits_longer_each_time_and_dies_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        enqueue(&connection, &daily("a@x.example"), at(0)).unwrap();
        let mut now = 0;
        for attempt in 1..=MAX_ATTEMPTS {
            let mail = claim(&connection, Which::Other, at(now)).unwrap().unwrap();
            let state = settle(&connection, &mail, &Settlement::Retry("busy".to_owned()), at(now)).unwrap();
            if attempt == MAX_ATTEMPTS {
                assert_eq!(state, MailState::Dead);
            } else {
                assert_eq!(state, MailState::Waiting);
                let pause = 1 << (attempt - 1).min(6);
                assert_eq!(
                    claim(&connection, Which::Other, at(now + pause) - TimeDelta::seconds(1)).unwrap(),
                    None
                );
                now += pause;
            }
        }
        assert_eq!(claim(&connection, Which::Other, at(99_999)).unwrap(), None);
        assert!(resend(&connection, daily("a@x.example").message_id).unwrap());
        assert!(claim(&connection, Which::Other, at(0)).unwrap().is_some());
    }

    #[test]
    fn a_lost_answer_is_for_a_person_to_decide_unless_it_is_urgent() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        for (kind, which, state) in [
            (MessageKind::DailyReport, Which::Other, MailState::Unknown),
            (MessageKind::HeartRateAlert, Which::Urgent, MailState::Waiting),
        ] {
            enqueue(&connection, &mail_to(kind, "a@x.example"), at(0)).unwrap();
            let mail = claim(&connection, which, at(0)).unwrap().unwrap();
            let settled = settle(&connection, &mail, &Settlement::Unknown("timeout".to_owned()), at(0)).unwrap();
            assert_eq!(settled, state);
            // The second answer of an attempt that is over changes nothing.
            assert!(settle(&connection, &mail, &Settlement::Sent(String::new()), at(0)).is_err());
        }
    }

    #[test]
    fn what_is_sent_or_being_sent_cannot_be_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        let mail = daily("a@x.example");
        assert!(!discard(&connection, mail.message_id, at(0)).unwrap());
        enqueue(&connection, &mail, at(0)).unwrap();
        claim(&connection, Which::Other, at(0)).unwrap();
        assert!(!discard(&connection, mail.message_id, at(0)).unwrap());
        assert!(!resend(&connection, mail.message_id).unwrap());
        recover(&connection, None, at(1)).unwrap();
        assert!(discard(&connection, mail.message_id, at(2)).unwrap());
        assert_eq!(enqueue(&connection, &mail, at(3)).unwrap(), Enqueued::AlreadyThere);
        assert_eq!(claim(&connection, Which::Other, at(3)).unwrap(), None);
    }

    #[test]
    fn threads_that_claim_at_once_never_get_the_same_mail() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        for number in 0..40 {
            enqueue(&connection, &daily(&format!("{number}@x.example")), at(0)).unwrap();
        }
        let claimed: Vec<Uuid> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let connection = store.connection().unwrap();
                        std::iter::from_fn(|| claim(&connection, Which::Other, at(0)).unwrap())
                            .map(|mail| mail.message_id)
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(claimed.len(), 40);
        assert_eq!(claimed.iter().collect::<std::collections::HashSet<_>>().len(), 40);
    }

    #[test]
    fn who_unsubscribes_gets_neither_what_is_queued_then_nor_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        let urgent = mail_to(MessageKind::HeartRateAlert, "CEO@x.example");
        for mail in [&daily("CEO@x.example"), &urgent, &daily("cto@x.example")] {
            enqueue(&connection, mail, at(0)).unwrap();
        }
        mail_reader::unsubscribe(&connection, "ceo@x.example", at(1)).unwrap();
        // Whoever claims before anybody has discarded them finds nothing to send.
        assert_eq!(claim(&connection, Which::Urgent, at(1)).unwrap(), None);
        assert_eq!(
            claim(&connection, Which::Other, at(1)).unwrap().unwrap(),
            daily("cto@x.example")
        );
        assert_eq!(claim(&connection, Which::Other, at(1)).unwrap(), None);
        assert_eq!(discard_unsubscribed(&connection, at(2)).unwrap(), 2);
        let (mail, _) = get(&connection, urgent.message_id).unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.detail.as_deref()),
            (MailState::Discarded, Some("unsubscribed"))
        );
        let restated = mail_to(MessageKind::Restatement, "ceo@x.example");
        assert_eq!(enqueue(&connection, &restated, at(3)).unwrap(), Enqueued::Unsubscribed);
        assert_eq!(get(&connection, restated.message_id).unwrap(), None);
        mail_reader::resubscribe(&connection, "ceo@x.example").unwrap();
        assert_eq!(enqueue(&connection, &restated, at(4)).unwrap(), Enqueued::Queued);
        assert_eq!(claim(&connection, Which::Other, at(4)).unwrap(), Some(restated));
    }

    #[test]
    fn what_programs_are_told_is_nothing_to_unsubscribe_from() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let connection = store.connection().unwrap();
        let files = mail_to(MessageKind::RideCsv, "exports");
        mail_reader::unsubscribe(&connection, "exports", at(0)).unwrap();
        assert_eq!(enqueue(&connection, &files, at(0)).unwrap(), Enqueued::Queued);
        assert_eq!(discard_unsubscribed(&connection, at(0)).unwrap(), 0);
        assert_eq!(
            claim_of_ride(&connection, MessageKind::RideCsv, at(0)).unwrap(),
            Some(files)
        );
    }
}
