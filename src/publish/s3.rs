//! A site in a bucket.

use std::{io::Write, time::Duration};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use flate2::{Compression, write::GzEncoder};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    MANIFEST, PublishError, Result, cache_control,
    engine::{Target, Version},
    manifest::{Manifest, kept},
};
use crate::{config::aws::Refusal, domain::artifact::Artifact};

/// What has to be escaped in the name of an object that is copied.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// The name, beside every object that was published, of the SHA-256 of its content as it was before it was compressed.
const HASH: &str = "sha256";

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

    async fn get(&self, path: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let doing = format!("reading `{path}`");
        let output = match self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(path))
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

    /// Copies within the bucket, with all that is said of the object; does nothing where there is none.
    async fn copy(&self, path: &str, to: &str, doing: &str) -> Result<bool> {
        let from = format!("{}/{}", self.bucket, self.key(path));
        let copy = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .copy_source(utf8_percent_encode(&from, ESCAPED).to_string())
            .key(self.key(to));
        match copy.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(false),
            Err(error) => Err(self.classify(error, doing)),
        }
    }

    /// Says in words what went wrong.
    fn classify<E>(&self, error: SdkError<E>, doing: &str) -> PublishError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (target, doing) = (self.name(), doing.to_owned());
        match Refusal::of(&error) {
            Refusal::MissingBucket => PublishError::MissingBucket { target },
            Refusal::Busy => PublishError::Busy { target },
            Refusal::WrongRegion => PublishError::WrongRegion { target },
            Refusal::NoRegion => PublishError::NoRegion { target },
            Refusal::ClockSkew => PublishError::ClockSkew { target, doing },
            Refusal::Throttled => PublishError::Throttled { target, doing },
            Refusal::Denied => PublishError::Denied { target, doing },
            Refusal::NoCredentials => PublishError::NoCredentials { target },
            Refusal::Unreachable => PublishError::Unreachable {
                target,
                doing,
                source: error.into(),
            },
            Refusal::Other => PublishError::Service {
                target,
                doing,
                source: error.into(),
            },
        }
    }
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
        match self.get(MANIFEST).await? {
            Some((bytes, version)) => {
                let manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::BadManifest {
                    target: self.name(),
                    path: MANIFEST.to_owned(),
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
            Err(PublishError::Busy { target }) => match self.get(MANIFEST).await? {
                Some((found, version)) if found == bytes => Ok(version),
                _ => Err(PublishError::Busy { target }),
            },
            other => other,
        }
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get(path).await?.map(|(bytes, _)| bytes))
    }

    async fn put(&self, artifact: &Artifact) -> Result<()> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(&artifact.path))
            .content_type(artifact.media_type)
            .cache_control(cache_control(&artifact.path))
            .metadata(HASH, artifact.content_hash());
        // A bucket hands out what it was given: who asks for a page is not asked whether they take it compressed.
        let put = if is_text(artifact.media_type) && !artifact.path.starts_with('_') {
            put.content_encoding("gzip").body(gzip(&artifact.bytes).into())
        } else {
            put.body(ByteStream::from(artifact.bytes.clone()))
        };
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.classify(error, &format!("writing `{}`", artifact.path))),
        }
    }

    async fn keep(&self, path: &str, hash: &str, is_certain: bool) -> Result<()> {
        if !is_certain && self.is_kept(hash).await? {
            return Ok(());
        }
        // Where somebody took the object away there is nothing to keep.
        self.copy(path, &kept(hash), &format!("keeping what `{path}` was"))
            .await
            .map(drop)
    }

    async fn is_kept(&self, hash: &str) -> Result<bool> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(&kept(hash)));
        match head.send().await {
            // Who put something else there did not say so, or said what that is.
            Ok(found) => Ok(found
                .metadata()
                .and_then(|of| of.get(HASH))
                .is_some_and(|found| found == hash)),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
            Err(error) => Err(self.classify(error, &format!("looking for `{}`", kept(hash)))),
        }
    }

    async fn put_back(&self, hash: &str, path: &str) -> Result<()> {
        let doing = format!("putting `{path}` back");
        if self.copy(&kept(hash), path, &doing).await? {
            return Ok(());
        }
        Err(PublishError::Service {
            target: self.name(),
            doing,
            source: format!("there is no `{}`", kept(hash)).into(),
        })
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(self.key(path));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.classify(error, &format!("deleting `{path}`"))),
        }
    }
}

/// Whether compressing it is worth it.
fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml" | "image/svg+xml")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory can be written to")
}
