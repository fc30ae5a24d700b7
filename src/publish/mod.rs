//! Puts what was rendered where people open it: a folder or a bucket.
//!
//! Publishing is additive. What is new or changed is written, leaves first and the root's `index.html` last, so that no
//! page ever points at something that is not there yet; what did not change is not touched; what this call does not
//! mention is kept.
//!
//! A manifest beside the site says what is there (path → SHA-256). It is also the lock: it can be replaced only by
//! someone who has read its newest version. While a publisher is at work, the paths it is about to write have no hash
//! in it, so that whoever comes after a crash writes them again.

mod directory;
mod engine;
mod s3;

use std::{
    borrow::Cow,
    collections::HashSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

pub use directory::DirectoryPublisher;
use engine::Target as _;
pub use s3::S3Publisher;

use crate::{
    config::{aws, settings::Location},
    domain::artifact::{Artifact, media_type_of, sha256_hex_of},
};

/// What says what is published, at the root of the site.
pub const MANIFEST: &str = "_manifest.json";

/// Where a site goes.
#[derive(Debug)]
pub enum Publisher {
    /// A folder on this machine.
    Directory(DirectoryPublisher),
    /// Objects in S3, or in a service that speaks its protocol.
    S3(S3Publisher),
}

/// Something to be published.
#[derive(Debug, Clone)]
pub enum Item {
    /// Rendered just now.
    Rendered(Artifact),
    /// A file on this machine, read when it is its turn.
    File {
        /// Path below the root of the site.
        path: String,
        /// The file.
        file: PathBuf,
    },
}

impl Item {
    /// Path below the root of the site.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Item::Rendered(Artifact { path, .. }) | Item::File { path, .. } => path,
        }
    }

    /// The SHA-256 of its content.
    fn content_hash(&self) -> Result<String> {
        match self {
            Item::Rendered(artifact) => Ok(artifact.content_hash()),
            Item::File { file, .. } => read(file, File::open(file).and_then(sha256_hex_of)),
        }
    }

    fn artifact(&self) -> Result<Cow<'_, Artifact>> {
        match self {
            Item::Rendered(artifact) => Ok(Cow::Borrowed(artifact)),
            Item::File { path, file } => Ok(Cow::Owned(Artifact {
                path: path.clone(),
                media_type: media_type_of(path),
                bytes: read(file, fs::read(file))?,
            })),
        }
    }
}

impl From<Artifact> for Item {
    fn from(artifact: Artifact) -> Self {
        Item::Rendered(artifact)
    }
}

fn read<T>(file: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|source| PublishError::Unreadable {
        file: file.to_owned(),
        source,
    })
}

/// What a publish call did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishStatus {
    /// Paths written, in the order they were begun.
    pub written: Vec<String>,
    /// How many items were already there with the same content.
    pub unchanged: usize,
}

/// Why a site could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The bucket is not there.
    #[error("the bucket of `{target}` does not exist; create it, or correct `--site`")]
    MissingBucket {
        /// Where the site goes.
        target: String,
    },
    /// The bucket is in another region than the one asked.
    #[error("the bucket of `{target}` is in another region; set AWS_REGION to the bucket's")]
    WrongRegion {
        /// Where the site goes.
        target: String,
    },
    /// Nobody said which region.
    #[error("no AWS region is set for `{target}`; set AWS_REGION to the bucket's")]
    NoRegion {
        /// Where the site goes.
        target: String,
    },
    /// The caller may not do this.
    #[error(
        "access to `{target}` was denied while {doing}; the credentials need s3:ListBucket on the bucket and \
         s3:GetObject, s3:PutObject and s3:DeleteObject on its objects"
    )]
    Denied {
        /// Where the site goes.
        target: String,
        /// What was being done.
        doing: String,
    },
    /// There are no credentials to sign with.
    #[error(
        "no AWS credentials were found for `{target}`; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )]
    NoCredentials {
        /// Where the site goes.
        target: String,
    },
    /// Nobody answered.
    #[error("`{target}` could not be reached while {doing}; check the network and `--aws-endpoint-url`")]
    Unreachable {
        /// Where the site goes.
        target: String,
        /// What was being done.
        doing: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Too many requests, also after the SDK's retries.
    #[error("`{target}` asked to slow down while {doing}, also after waiting; publish again later")]
    Throttled {
        /// Where the site goes.
        target: String,
        /// What was being done.
        doing: String,
    },
    /// Someone else publishes to the same place.
    #[error("another publisher is at work on `{target}`; publish again when it is done")]
    Busy {
        /// Where the site goes.
        target: String,
    },
    /// An item's path cannot be published.
    #[error("the path `{path}` cannot be published: {reason}")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What is to be published cannot be read.
    #[error("`{}` was to be published and cannot be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest is not one of ours.
    #[error(
        "`{MANIFEST}` of `{target}` cannot be understood; move it away, and the next publish call writes everything anew"
    )]
    BadManifest {
        /// Where the site goes.
        target: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A file could not be read or written.
    #[error("{doing} failed in the site folder `{target}`; check that it is writable and that the disk has room")]
    Io {
        /// Where the site goes.
        target: String,
        /// What was being done.
        doing: String,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else the service answered.
    #[error("`{target}` refused while {doing}")]
    Service {
        /// Where the site goes.
        target: String,
        /// What was being done.
        doing: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Result of publishing.
pub type Result<T, E = PublishError> = std::result::Result<T, E>;

impl Publisher {
    /// The publisher for `location`. For a bucket, region and credentials come from where AWS's own tools look for
    /// them; `endpoint_url` names another service of that protocol.
    pub async fn open(location: &Location, endpoint_url: Option<&str>) -> Publisher {
        match location {
            Location::Directory(path) => Publisher::directory(path),
            Location::S3 { bucket, prefix } => {
                let shared = aws::load(endpoint_url).await;
                let config = aws_sdk_s3::config::Builder::from(&shared)
                    .force_path_style(endpoint_url.is_some())
                    .build();
                Publisher::S3(S3Publisher::new(aws_sdk_s3::Client::from_conf(config), bucket, prefix))
            }
        }
    }

    /// A publisher into the folder at `path`, which is made when something is published.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Publisher {
        Publisher::Directory(DirectoryPublisher::new(path.into()))
    }

    /// Where the site goes, as a person writes it.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Publisher::Directory(directory) => directory.name(),
            Publisher::S3(s3) => s3.name(),
        }
    }

    /// Publishes `items`; see the module for what that promises. Writes nothing at all, not even the manifest, when
    /// nothing changed.
    ///
    /// # Errors
    /// See [`PublishError`]. After one, what was there before is still whole, or partly newer, and the same call
    /// made again completes it.
    pub async fn publish(&self, items: &[Item]) -> Result<PublishStatus> {
        check_paths(items)?;
        match self {
            Publisher::Directory(directory) => directory.publish(items).await,
            Publisher::S3(s3) => engine::publish(s3, items).await,
        }
    }

    /// What [`publish`](Self::publish) would do; does none of it.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn plan(&self, items: &[Item]) -> Result<PublishStatus> {
        check_paths(items)?;
        match self {
            Publisher::Directory(directory) => engine::dry_run(directory, items).await,
            Publisher::S3(s3) => engine::dry_run(s3, items).await,
        }
    }
}

/// Every path must name one place below the root, and no two items the same.
fn check_paths(items: &[Item]) -> Result<()> {
    let mut seen = HashSet::new();
    for path in items.iter().map(Item::path) {
        let bad = |reason| {
            Err(PublishError::BadPath {
                path: path.to_owned(),
                reason,
            })
        };
        if path.starts_with('_') {
            return bad("names that begin with `_` are the publisher's own");
        }
        if path.contains('\\') || path.chars().any(char::is_control) {
            return bad("it contains a backslash or a control character");
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return bad("it does not name a place below the root");
        }
        if !seen.insert(path) {
            return bad("two items have it");
        }
    }
    Ok(())
}

/// How long a browser or a cache may keep `path` without asking again.
fn cache_control(path: &str) -> &'static str {
    if is_hashed(path) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=60"
    }
}

/// Whether the file name itself carries a hash of the content: `static/report-3f9a01bc.css`, `static/app.3f9a01bc.js`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("static/")
        && name
            .split(['.', '-'])
            .any(|part| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// When in a publish call a path is written: what others link to before what links to it.
fn rank(path: &str) -> u8 {
    match path {
        "index.html" => 4,
        _ if path.ends_with(".xml") => 3, // feed and sitemap point at pages
        _ if path.ends_with(".html") => 2,
        _ if path.starts_with("static/") => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_carry_a_hash_are_kept_for_ever() {
        assert!(cache_control("static/report-3f9a01bc.css").ends_with("immutable"));
        assert!(cache_control("static/app.3f9a01bcde.js").ends_with("immutable"));
        for path in ["static/favicon.ico", "index.html", "2026-11-21/report-3f9a01bc.pdf"] {
            assert_eq!(cache_control(path), "public, max-age=60", "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_root_or_are_ours_are_refused() {
        for path in [
            "/etc/passwd",
            "../x",
            "a//b",
            "a/./b",
            "",
            "_manifest.json",
            "a\\b",
            "a\nb",
        ] {
            let error = check_paths(&[Artifact::text(path, "text/plain", "").into()]).unwrap_err();
            assert!(matches!(error, PublishError::BadPath { .. }), "{path}");
        }
        let twice = [
            Artifact::text("a", "text/plain", "").into(),
            Artifact::text("a", "text/plain", "").into(),
        ];
        assert!(check_paths(&twice).unwrap_err().to_string().contains("two items"));
    }
}
