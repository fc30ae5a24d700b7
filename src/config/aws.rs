//! What Amazon's own tools read from the environment and `~/.aws`: region, credentials, profile; and why a bucket refuses.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, meta::region::RegionProviderChain, timeout::TimeoutConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Why a request to a bucket came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such bucket.
    MissingBucket,
    /// The bucket is in another region.
    WrongRegion,
    /// Nobody said which region.
    NoRegion,
    /// There are no credentials to sign with.
    NoCredentials,
    /// The caller may not do this.
    Denied,
    /// Too many requests.
    Throttled,
    /// This machine's clock is not the service's.
    ClockSkew,
    /// What was to be replaced is another by now.
    Busy,
    /// Nobody answered.
    Unreachable,
    /// Anything else.
    Other,
}

/// The region that services other than AWS's are told, where none is set: their protocol needs one, they do not.
const REGION_OF_OTHER_SERVICES: &str = "eu-west-2";

/// A connection that takes longer than this is not coming; an attempt that takes longer has been forgotten.
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(60);

/// The configuration that every client starts from. `endpoint_url` names a service other than AWS's own.
pub async fn load(endpoint_url: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .build();
    let loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    match endpoint_url {
        Some(url) => {
            let region = RegionProviderChain::default_provider().or_else(REGION_OF_OTHER_SERVICES);
            loader.endpoint_url(url).region(region).load().await
        }
        None => loader.load().await,
    }
}

impl Refusal {
    /// What the SDK's error comes to.
    pub fn of<E>(error: &SdkError<E>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        match (error.code().unwrap_or_default(), status) {
            ("NoSuchBucket", _) | ("NotFound" | "", 404) => Refusal::MissingBucket,
            ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 412) => Refusal::Busy,
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
            | (_, 301) => Refusal::WrongRegion,
            ("RequestTimeTooSkewed", _) => Refusal::ClockSkew,
            ("SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests", _)
            | (_, 429 | 503) => Refusal::Throttled,
            (_, 401 | 403) => Refusal::Denied,
            _ if never_sent_for("credentials", error) => Refusal::NoCredentials,
            _ if never_sent_for("region must be set", error) => Refusal::NoRegion,
            _ => match error {
                SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
                    Refusal::Unreachable
                }
                _ => Refusal::Other,
            },
        }
    }
}

/// Whether a request was never sent for a reason whose text contains `words`: for what is missing in the set-up the SDK
/// has no types.
fn never_sent_for<E: std::error::Error + 'static>(words: &str, error: &SdkError<E>) -> bool {
    let first = matches!(error, SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_))
        .then_some(error as &dyn std::error::Error);
    std::iter::successors(first, |error| error.source()).any(|error| error.to_string().contains(words))
}
