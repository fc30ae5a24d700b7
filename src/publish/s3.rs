//! A site in a bucket.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};

use super::{
    MANIFEST, PublishError, Result, cache_control,
    engine::{Manifest, Target, Version},
};
use crate::domain::artifact::Artifact;

/// How long a lock must stand still until its holder counts as dead. A publisher renews its own four times as often.
const LEASE: Duration = Duration::from_secs(60);

/// Publishes into a bucket. Every put is atomic; the manifest is replaced by a conditional put.
#[derive(Debug)]
pub struct S3Publisher {
    client: Client,
    bucket: String,
    prefix: String,
    lease: Duration,
}

impl S3Publisher {
    /// A publisher into `bucket`, every key beginning with `prefix` and a slash, unless the prefix is empty.
    #[must_use]
    pub fn new(client: Client, bucket: &str, prefix: &str) -> Self {
        S3Publisher {
            client,
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            lease: LEASE,
        }
    }

    /// The same with another patience for a publisher that died; for tests.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.prefix)
        }
    }

    /// A bucket that is not there says so only when asked for itself: some services answer "no such key".
    async fn check_bucket(&self) -> Result<()> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => match self.classify(error, "looking for the bucket") {
                // Looking may be forbidden where writing is not.
                PublishError::Denied { .. } => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn put_manifest(&self, bytes: &[u8], version: &Version) -> Result<Version> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(MANIFEST))
            .content_type("application/json")
            .cache_control("no-store")
            .body(ByteStream::from(bytes.to_vec()));
        let put = match version {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(output) => Ok(output.e_tag),
            Err(error) => Err(self.classify(error, &format!("writing `{MANIFEST}`"))),
        }
    }

    async fn get_manifest(&self) -> Result<Option<(Vec<u8>, Version)>> {
        let doing = format!("reading `{MANIFEST}`");
        let output = match self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(MANIFEST))
            .send()
            .await
        {
            Ok(output) => output,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(self.classify(error, &doing)),
        };
        let version = output.e_tag;
        let bytes = output
            .body
            .collect()
            .await
            .map_err(|source| PublishError::Unreachable {
                target: self.name(),
                doing,
                source: source.into(),
            })?;
        Ok(Some((bytes.to_vec(), version)))
    }

    /// Says in words what went wrong.
    fn classify<E>(&self, error: SdkError<E>, doing: &str) -> PublishError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (target, doing) = (self.name(), doing.to_owned());
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        match (code.as_str(), status) {
            ("NoSuchBucket", _) | ("NotFound" | "", 404) => PublishError::MissingBucket { target },
            ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 412) => PublishError::Busy { target },
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
            | (_, 301) => PublishError::WrongRegion { target },
            ("SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests", _)
            | (_, 429 | 503) => PublishError::Throttled { target, doing },
            (_, 401 | 403) => PublishError::Denied { target, doing },
            _ if never_sent_for("credentials", &error) => PublishError::NoCredentials { target },
            _ if never_sent_for("region must be set", &error) => PublishError::NoRegion { target },
            _ => match error {
                SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
                    PublishError::Unreachable {
                        target,
                        doing,
                        source: error.into(),
                    }
                }
                _ => PublishError::Service {
                    target,
                    doing,
                    source: error.into(),
                },
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

impl Target for S3Publisher {
    fn name(&self) -> String {
        if self.prefix.is_empty() {
            format!("s3://{}", self.bucket)
        } else {
            format!("s3://{}/{}", self.bucket, self.prefix)
        }
    }

    fn lease(&self) -> Duration {
        self.lease
    }

    async fn read_manifest(&self) -> Result<(Manifest, Version)> {
        match self.get_manifest().await? {
            Some((bytes, version)) => {
                let manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::BadManifest {
                    target: self.name(),
                    source,
                })?;
                Ok((manifest, version))
            }
            None => {
                self.check_bucket().await?;
                Ok((Manifest::default(), None))
            }
        }
    }

    async fn write_manifest(&self, manifest: &Manifest, version: &Version) -> Result<Version> {
        let bytes = serde_json::to_vec(manifest).expect("a manifest is plain maps and strings");
        match self.put_manifest(&bytes, version).await {
            // A put whose answer was lost is repeated by the SDK and then finds its own first try.
            Err(PublishError::Busy { target }) => match self.get_manifest().await? {
                Some((found, version)) if found == bytes => Ok(version),
                _ => Err(PublishError::Busy { target }),
            },
            other => other,
        }
    }

    async fn put(&self, artifact: &Artifact) -> Result<()> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(&artifact.path))
            .content_type(artifact.media_type)
            .cache_control(cache_control(&artifact.path))
            .body(ByteStream::from(artifact.bytes.clone()));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.classify(error, &format!("writing `{}`", artifact.path))),
        }
    }
}
