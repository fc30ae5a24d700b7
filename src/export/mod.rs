//! What other programs get. When a ride ends: two CSV files, word to an SNS topic, a signed call of a webhook; all of it is
//! personal, and the send ledger is the store's and the jobs'. When workouts come from Peloton: a file a day. When a job runs: a ping of its dead-man's switch.

mod aws_words;
pub mod csv;
mod files;
pub mod ping;
mod sns;
mod webhook;
mod workouts;

use chrono::NaiveDate;
use serde_json::json;
use uuid::Uuid;

pub use files::Files;
pub use sns::Topic;
pub use webhook::{Webhook, signature};

use crate::domain::{
    message::{Envelope, MessageKind, SendError, SendReceipt},
    ride::Reading,
    ride_ended::{RideEnded, RideTarget, folder_of},
    rider::Rider,
    workout::StoredWorkout,
};

/// Where word of rides goes.
#[derive(Debug)]
pub struct Exporter {
    /// The files.
    pub files: Files,
    /// The SNS topic, where there is one.
    pub topic: Option<Topic>,
    /// The webhook, where there is one.
    pub webhook: Option<Webhook>,
}

/// A ride that ended, with all that its files hold.
#[derive(Debug, Clone, Copy)]
pub struct RideExport<'a> {
    /// The ride.
    pub ended: &'a RideEnded,
    /// Its readings, by their second.
    pub readings: &'a [Reading],
    /// Its rider, where one is known.
    pub rider: Option<&'a Rider>,
    /// The rider's upper heart-rate limit.
    pub limit_bpm: Option<i32>,
}

impl Exporter {
    /// Everyone who is told of rides that end.
    #[must_use]
    pub fn targets(&self) -> Vec<RideTarget> {
        let topic = self.topic.as_ref().map(|topic| (MessageKind::RideSns, topic.arn()));
        let webhook = self
            .webhook
            .as_ref()
            .map(|webhook| (MessageKind::RideWebhook, webhook.url()));
        let files = (MessageKind::RideCsv, self.files.name());
        [Some(files), topic, webhook]
            .into_iter()
            .flatten()
            .map(|(kind, recipient)| RideTarget { kind, recipient })
            .collect()
    }

    /// Writes a ride's two files; those of an earlier end of it in another day's folder go.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn write_files(&self, export: &RideExport<'_>, earlier: &[RideEnded]) -> Result<SendReceipt, SendError> {
        let folder = export.ended.folder();
        self.files
            .put(&format!("{folder}/ride_info.csv"), csv::ride_info(export))
            .await?;
        self.files
            .put(&format!("{folder}/user_info.csv"), csv::user_info(export))
            .await?;
        for old in earlier.iter().map(RideEnded::folder).filter(|old| *old != folder) {
            for name in FILES {
                self.files.delete(&format!("{old}/{name}")).await?;
            }
        }
        Ok(SendReceipt {
            reference: self.files.path_of(&folder),
        })
    }

    /// Deletes the files of a ride that ended in a day; answers how many there were. A bucket does not say: there each counts.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn delete_files(&self, ride_id: Uuid, business_day: NaiveDate) -> Result<u64, SendError> {
        let folder = folder_of(ride_id, business_day);
        let mut deleted = 0;
        for name in FILES {
            deleted += u64::from(self.files.delete(&format!("{folder}/{name}")).await?);
        }
        Ok(deleted)
    }

    /// Writes the daily file of workouts that began on `day`, UTC; without any, there is none.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn write_workouts(&self, day: NaiveDate, workouts: &[StoredWorkout]) -> Result<(), SendError> {
        let path = workouts::path(day);
        if workouts.is_empty() {
            self.files.delete(&path).await.map(drop)
        } else {
            self.files.put(&path, workouts::csv(workouts)).await
        }
    }

    /// Tells the topic or the webhook. `ended_before`: it was told of this ride before, which went on after all.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn tell(
        &self,
        envelope: &Envelope,
        ended: &RideEnded,
        ended_before: bool,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<SendReceipt, SendError> {
        let folder = ended.folder();
        let body = json!({
            "event": "ride_ended",
            "id": envelope.message_id,
            "ended_before": ended_before,
            "ride": ended,
            "files": FILES.map(|name| self.files.path_of(&format!("{folder}/{name}"))),
        })
        .to_string();
        let gone = |what: &str| SendError::Dead(format!("there is no {what} any more to tell"));
        match envelope.kind {
            MessageKind::RideSns => match &self.topic {
                Some(topic) if topic.arn() == envelope.recipient => topic.publish(envelope, ended, body).await,
                _ => Err(gone("such SNS topic")),
            },
            _ => match &self.webhook {
                Some(webhook) if webhook.url() == envelope.recipient => webhook.call(envelope, body, now).await,
                _ => Err(gone("such webhook")),
            },
        }
    }
}

const FILES: [&str; 2] = ["ride_info.csv", "user_info.csv"];
