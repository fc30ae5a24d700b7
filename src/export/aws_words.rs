//! What an AWS service answered, in words.

use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};

use crate::domain::message::SendError;

/// What became of a call, and what the person can do about it. Everything here may be done twice, so whatever was not
/// refused for good is tried again.
pub(super) fn classify<E>(error: &SdkError<E>, service: &str, right: &str) -> SendError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or_default();
    match (code, status) {
        ("NoSuchBucket" | "NotFound" | "NotFoundException", _) => SendError::Retry(format!(
            "{service} does not exist ({code}); create it, or correct `--exports` or `--sns-topic-arn`"
        )),
        (_, 401 | 403) => SendError::Retry(format!(
            "{service} denied access ({code}); the credentials need {right} there"
        )),
        (_, 400) if !matches!(code, "Throttling" | "ThrottledException" | "RequestTimeout" | "") => {
            SendError::Dead(format!("{service} refused it ({code})"))
        }
        (_, 0) => SendError::Retry(format!(
            "{service} could not be reached ({}); check the network, `--aws-endpoint-url`, AWS_REGION and the AWS \
             credentials",
            deepest(error)
        )),
        _ => SendError::Retry(format!("{service} failed ({code}, status {status}); it is tried again")),
    }
}

fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
