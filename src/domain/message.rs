//! What leaves by the send ledger: a mail before it is MIME, and whatever it is, in its envelope.

use uuid::Uuid;

use super::artifact::sha256_hex;

/// What a mail is about, or what else is sent. One message per (kind, topic, recipient) is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// The daily report; its topic is the day.
    DailyReport,
    /// A heart-rate alert; its topic is the ride, the direction and the level.
    HeartRateAlert,
    /// Jobs that failed or are late; its topic is the job, its window and the instant of the newest of them.
    JobFailure,
    /// A day whose figures moved after its report was mailed.
    Restatement,
    /// A ride's files; as for the next two, the topic is the ride and its end, the recipient where they go.
    RideCsv,
    /// Word of a ride's end to an SNS topic.
    RideSns,
    /// Word of a ride's end to a webhook.
    RideWebhook,
}

impl MessageKind {
    /// What is mailed to people.
    pub const MAILS: [MessageKind; 4] = [
        MessageKind::DailyReport,
        MessageKind::HeartRateAlert,
        MessageKind::JobFailure,
        MessageKind::Restatement,
    ];

    /// What leaves when a ride ends, in the order in which it does.
    pub const OF_RIDES: [MessageKind; 3] = [MessageKind::RideCsv, MessageKind::RideSns, MessageKind::RideWebhook];

    /// The name used in the database, in paths and in the templates folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::DailyReport => "daily_report",
            MessageKind::HeartRateAlert => "heart_rate_alert",
            MessageKind::JobFailure => "job_failure",
            MessageKind::Restatement => "restatement",
            MessageKind::RideCsv => "ride_csv",
            MessageKind::RideSns => "ride_sns",
            MessageKind::RideWebhook => "ride_webhook",
        }
    }

    /// The kind called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        MessageKind::MAILS
            .into_iter()
            .chain(MessageKind::OF_RIDES)
            .find(|kind| kind.name() == name)
    }

    /// Whether a message of this kind may go out twice rather than not at all.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        self == MessageKind::HeartRateAlert || self.is_of_ride()
    }

    /// Whether it leaves when a ride ends, and is for programs rather than people.
    #[must_use]
    pub fn is_of_ride(self) -> bool {
        MessageKind::OF_RIDES.contains(&self)
    }

    /// Whether it is about the reader's own account, such as that it was opened or erased, and goes out whoever has
    /// unsubscribed. Nothing that is mailed today is: all of it is notices that one may do without. A new kind has to be
    /// decided about here, and nowhere else.
    #[must_use]
    pub fn is_account_matter(self) -> bool {
        match self {
            MessageKind::DailyReport
            | MessageKind::HeartRateAlert
            | MessageKind::JobFailure
            | MessageKind::Restatement
            | MessageKind::RideCsv
            | MessageKind::RideSns
            | MessageKind::RideWebhook => false,
        }
    }

    /// Whether it is a mail that whoever has unsubscribed gets no more.
    #[must_use]
    pub fn is_notice(self) -> bool {
        !self.is_of_ride() && !self.is_account_matter()
    }

    /// The id of a message of this kind: a UUID (version 8) made of its kind, topic and recipient. The same message has the
    /// same id wherever and whenever it is made, also where a mail address is spelt in other case.
    #[must_use]
    pub fn message_id(self, topic: &str, recipient: &str) -> Uuid {
        let recipient = match self.is_of_ride() {
            // A web address may mean something else in other case.
            true => recipient.to_owned(),
            false => recipient.to_lowercase(),
        };
        let hash = hash_of(&[self.name().as_bytes(), topic.as_bytes(), recipient.as_bytes()]);
        let first = u128::from_str_radix(&hash[..32], 16).expect("a hash is hexadecimal");
        uuid::Builder::from_custom_bytes(first.to_be_bytes()).into_uuid()
    }
}

/// Whether an address cannot exist: its host is set aside for examples and tests (RFC 2606, RFC 6761). Simulated riders
/// have such addresses.
#[must_use]
pub fn is_reserved(address: &str) -> bool {
    let host = address
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_ascii_lowercase();
    [
        "example",
        "test",
        "invalid",
        "localhost",
        "example.com",
        "example.net",
        "example.org",
    ]
    .iter()
    .any(|reserved| {
        host.strip_suffix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// A mail to one recipient.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is about.
    pub kind: MessageKind,
    /// What makes it the only one of its kind for this recipient: the day, for a daily report.
    pub topic: String,
    /// The address it goes to.
    pub recipient: String,
    /// Subject line.
    pub subject: String,
    /// Plain text part.
    pub text: String,
    /// HTML part.
    pub html: String,
    /// Images that the HTML part shows as `cid:<content id>`.
    pub images: Vec<InlineImage>,
    /// Files attached.
    pub attachments: Vec<Attachment>,
    /// The address at which its reader unsubscribes, as its text and HTML say it too; none where there is none.
    pub unsubscribe_url: Option<String>,
}

impl Message {
    /// See [`MessageKind::message_id`].
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.kind.message_id(&self.topic, &self.recipient)
    }

    /// What the mail says, as a hash: every part a reader sees, nothing of who it goes to, nor the reader's own link.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let own = self.unsubscribe_url.as_deref().unwrap_or_default();
        let [text, html] = [&self.text, &self.html].map(|part| match own {
            "" => part.clone(),
            own => part.replace(own, ""),
        });
        let mut parts = vec![self.subject.as_bytes(), text.as_bytes(), html.as_bytes()];
        for image in &self.images {
            parts.extend([image.content_id.as_bytes(), &image.png]);
        }
        for file in &self.attachments {
            parts.extend([file.name.as_bytes(), &file.bytes]);
        }
        hash_of(&parts)
    }
}

/// SHA-256 of the parts, each behind its length, so that no two lists of parts run together into one.
fn hash_of(parts: &[&[u8]]) -> String {
    let lengths: Vec<_> = parts.iter().map(|part| part.len().to_le_bytes()).collect();
    sha256_hex(
        lengths
            .iter()
            .zip(parts)
            .flat_map(|(length, part)| [length.as_slice(), part]),
    )
}

/// A mail ready to leave: what the send ledger keeps and a notifier sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// See [`Message::id`].
    pub message_id: Uuid,
    /// What it is about.
    pub kind: MessageKind,
    /// What makes it the only one of its kind for this recipient.
    pub topic: String,
    /// The address it goes to.
    pub recipient: String,
    /// Subject line, for lists.
    pub subject: String,
    /// See [`Message::content_hash`].
    pub content_hash: String,
    /// The mail as RFC 5322 has it; of a ride's end a [`RideEnded`](super::ride_ended::RideEnded) in JSON.
    pub mime: Vec<u8>,
}

/// What a service answers for a message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// The service's own id of the message, or the file it is in.
    pub reference: String,
}

/// Why a message was not sent, or is not known to have been. The text says what the person can do.
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

/// An image shown inside the HTML part.
#[derive(Debug, Clone)]
pub struct InlineImage {
    /// The id behind `cid:`.
    pub content_id: String,
    /// PNG bytes.
    pub png: Vec<u8>,
}

/// A file attached to a mail.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// File name as the reader sees it.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::{MessageKind, is_reserved};

    #[test]
    fn one_reader_has_one_mail_however_the_address_is_spelt_and_two_web_addresses_are_two() {
        let id = |kind: MessageKind, recipient: &str| kind.message_id("2026-05-06", recipient);
        let mail = MessageKind::DailyReport;
        assert_eq!(id(mail, "CEO@Deloton.example"), id(mail, "ceo@deloton.example"));
        assert_ne!(id(mail, "ceo@deloton.example"), id(mail, "cfo@deloton.example"));
        let call = MessageKind::RideWebhook;
        assert_ne!(id(call, "https://hooks.example/A"), id(call, "https://hooks.example/a"));
    }

    #[test]
    fn addresses_for_examples_and_tests_are_known() {
        for address in [
            "a@example.com",
            "a@Mail.EXAMPLE.org",
            "a@deloton.example",
            "a@localhost",
            "a@x.test.",
        ] {
            assert!(is_reserved(address), "{address}");
        }
        for address in ["a@gmail.com", "a@myexample.com", "a@example.co.uk", "a@latest"] {
            assert!(!is_reserved(address), "{address}");
        }
    }
}
