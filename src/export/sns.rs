//! Word of a ride's end to an SNS topic.

use aws_config::SdkConfig;
use aws_sdk_sns::{Client, types::MessageAttributeValue};

use super::aws_words::classify;
use crate::domain::{
    message::{Envelope, SendError, SendReceipt},
    ride_ended::RideEnded,
};

/// A topic.
#[derive(Debug)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic `arn`, called with `config`'s credentials and endpoint, in the ARN's own region.
    #[must_use]
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        let mut builder = aws_sdk_sns::config::Builder::from(config);
        // arn:aws:sns:REGION:ACCOUNT:NAME
        if let Some(region) = arn.split(':').nth(3).filter(|region| !region.is_empty()) {
            builder = builder.region(aws_sdk_sns::config::Region::new(region.to_owned()));
        }
        Topic {
            client: Client::from_conf(builder.build()),
            arn: arn.to_owned(),
        }
    }

    pub(super) fn arn(&self) -> String {
        self.arn.clone()
    }

    pub(super) async fn publish(
        &self,
        envelope: &Envelope,
        ended: &RideEnded,
        body: String,
    ) -> Result<SendReceipt, SendError> {
        let id = envelope.message_id.to_string();
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .expect("a type and a value are all there is to an attribute")
        };
        let mut call = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .subject("ride_ended")
            .message_attributes("event", attribute("ride_ended"))
            .message_attributes("idempotency_key", attribute(&id))
            .message(body);
        if self.arn.ends_with(".fifo") {
            call = call
                .message_group_id(ended.ride_id.to_string())
                .message_deduplication_id(&id);
        }
        match call.send().await {
            Ok(output) => Ok(SendReceipt {
                reference: output.message_id.unwrap_or_default(),
            }),
            Err(error) => Err(classify(&error, &format!("SNS (`{}`)", self.arn), "sns:Publish")),
        }
    }
}
