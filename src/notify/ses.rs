//! Amazon SES, version 2 of its API: the mail goes as raw bytes.

use aws_config::SdkConfig;
use aws_sdk_sesv2::{
    Client,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    primitives::Blob,
    types::{Destination, EmailContent, RawMessage},
};

use super::{SendError, SendReceipt};
use crate::domain::message::Envelope;

/// Hands mail to SES.
#[derive(Debug)]
pub struct Ses {
    client: Client,
    instead_to: Option<String>,
}

impl Ses {
    /// A sender with `config`'s region, credentials and endpoint; every mail goes to `instead_to` where that is given.
    #[must_use]
    pub fn new(config: &SdkConfig, instead_to: Option<String>) -> Self {
        // The SDK repeats a call whose answer was lost; for a mail that could mean two. The ledger repeats instead.
        let config = aws_sdk_sesv2::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .build();
        Ses {
            client: Client::from_conf(config),
            instead_to,
        }
    }

    pub(super) async fn send(&self, envelope: &Envelope) -> Result<SendReceipt, SendError> {
        let fixed = "a raw message with its bytes is complete";
        let raw = RawMessage::builder()
            .data(Blob::new(envelope.mime.as_slice()))
            .build()
            .expect(fixed);
        // The destination decides who gets it, whatever the mail's own `To` says.
        let to = self.instead_to.as_ref().unwrap_or(&envelope.recipient);
        let sent = self
            .client
            .send_email()
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().raw(raw).build())
            .send()
            .await;
        match sent {
            Ok(output) => Ok(SendReceipt {
                reference: output.message_id.unwrap_or_default(),
            }),
            Err(error) => Err(classify(&error)),
        }
    }
}

/// What became of the mail, and what the person can do about it.
fn classify(error: &SdkError<SendEmailError>) -> SendError {
    match error {
        SdkError::ConstructionFailure(_) => not_sent_yet(error),
        // No connection, no mail. A connection that broke after the request left is another matter.
        SdkError::DispatchFailure(failure) if failure.is_user() || failure.is_other() || never_connected(error) => {
            not_sent_yet(error)
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            SendError::Unknown(format!(
                "SES did not answer, so the mail may or may not have left ({}); look whether it arrived, then \
                     resend or discard it",
                deepest(error)
            ))
        }
        _ => refused(error),
    }
}

/// SES answered, and not with yes. Its own text may name addresses, which are personal: only codes are repeated.
fn refused(error: &SdkError<SendEmailError>) -> SendError {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or_default();
    let text = error.message().unwrap_or_default().to_ascii_lowercase();
    match (code, status) {
        ("MessageRejected", _) if text.contains("not verified") || text.contains("authority to send") => unverified(),
        ("MailFromDomainNotVerifiedException", _) => unverified(),
        ("MessageRejected", _) => SendError::Dead(
            "SES rejected the content of the mail (MessageRejected); it will not take it as it is".to_owned(),
        ),
        ("LimitExceededException", _) => quota(),
        ("TooManyRequestsException" | "ThrottlingException" | "Throttling", _) | (_, 429) if text.contains("daily") => {
            quota()
        }
        ("TooManyRequestsException" | "ThrottlingException" | "Throttling" | "ServiceUnavailable", _)
        | (_, 429 | 503) => SendError::Retry(format!("SES asked to slow down ({code}); the mail is sent later")),
        ("AccountSuspendedException" | "SendingPausedException", _) => SendError::Retry(format!(
            "SES has paused sending for this account ({code}); see the reputation page of the SES console"
        )),
        (_, 401 | 403) => SendError::Retry(format!(
            "SES denied access ({code}); the credentials need ses:SendEmail for the sender's identity in this region"
        )),
        (_, 500..) => SendError::Unknown(format!(
            "SES failed with status {status} and the mail may or may not have left; look whether it arrived, then resend \
             or discard it"
        )),
        _ => SendError::Dead(format!("SES refused the mail ({code}, status {status})")),
    }
}

fn unverified() -> SendError {
    SendError::Dead(
        "SES does not know one of the addresses: verify the sender's domain (`--mail-from`) in this region; in the SES \
         sandbox every recipient must be verified too; then resend the mail"
            .to_owned(),
    )
}

fn quota() -> SendError {
    SendError::Retry("the SES sending quota is used up; the mail is sent when there is some again".to_owned())
}

fn not_sent_yet(error: &SdkError<SendEmailError>) -> SendError {
    SendError::Retry(format!(
        "SES could not be reached ({}); check the network, `--aws-endpoint-url`, AWS_REGION and the AWS credentials",
        deepest(error)
    ))
}

/// Whether the connection itself was refused or never came about.
fn never_connected(error: &SdkError<SendEmailError>) -> bool {
    sources(error).any(|error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                std::io::ErrorKind::ConnectionRefused
                    | std::io::ErrorKind::HostUnreachable
                    | std::io::ErrorKind::NetworkUnreachable
            )
        }) || error.to_string().contains("dns error")
            || error.to_string().contains("connect timeout")
    })
}

fn deepest(error: &SdkError<SendEmailError>) -> String {
    sources(error).last().map(ToString::to_string).unwrap_or_default()
}

fn sources<'a>(error: &'a SdkError<SendEmailError>) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| {
        error.source()
    })
}
