//! A mail before it is MIME.

/// What a mail is about. One mail per (kind, topic, recipient) is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// The daily report; its topic is the day.
    DailyReport,
    /// A heart-rate alert; its topic is the ride, the direction and the level.
    HeartRateAlert,
    /// A job that failed; its topic is the job and its window.
    JobFailure,
    /// A day whose figures moved after its report was mailed.
    Restatement,
}

impl MessageKind {
    /// The name used in the database, in paths and in the templates folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::DailyReport => "daily_report",
            MessageKind::HeartRateAlert => "heart_rate_alert",
            MessageKind::JobFailure => "job_failure",
            MessageKind::Restatement => "restatement",
        }
    }
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
