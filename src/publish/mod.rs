//! Puts artifacts where people open them: a folder or a bucket.
//!
//! Publishing is additive. What is new or changed is written, leaves first and the root's `index.html` last, so that no
//! page ever points at something that is not there yet; what did not change is not touched; what this call does not
//! mention is kept, unless the caller asks for it to go.
//!
//! A manifest beside the site says what is there (path → SHA-256). It is also the lock: it can be replaced only by
//! someone who has read its newest version. While a publisher is at work, the paths it is about to write have no hash
//! in it, so that whoever comes after a crash writes them again.

mod directory;
mod engine;
mod s3;

use std::{collections::HashSet, path::PathBuf};

pub use directory::DirectoryPublisher;
use engine::Target as _;
pub use s3::S3Publisher;

use crate::{
    config::{aws, settings::Location},
    domain::artifact::Artifact,
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

/// What to do besides writing what changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishMode {
    /// Say what would be done, and do none of it.
    pub dry_run: bool,
    /// Write everything, also what the manifest says is there: repairs a site that something else has touched.
    pub rewrite: bool,
    /// What becomes of published paths that this call does not mention.
    pub unlisted: Unlisted,
}

/// What becomes of published paths that a publish call does not mention. Only paths in the manifest are ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// They stay.
    #[default]
    Keep,
    /// They go, unless they are more than half of what is published.
    Delete,
    /// They go, however many they are.
    DeleteForced,
}

/// What a publish call did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishStatus {
    /// Paths written, in the order they were begun.
    pub written: Vec<String>,
    /// How many artifacts were already there with the same content.
    pub unchanged: usize,
    /// Paths deleted, in order of their names.
    pub deleted: Vec<String>,
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
    /// Too much would go.
    #[error(
        "{deleted} of the {published} published files of `{target}` would be deleted, which is more than half; nothing \
         was done; force it if that is what you want"
    )]
    TooManyDeletions {
        /// Where the site goes.
        target: String,
        /// How many would be deleted.
        deleted: usize,
        /// How many are published.
        published: usize,
    },
    /// An artifact's path cannot be published.
    #[error("the artifact path `{path}` cannot be published: {reason}")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
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

    /// Publishes `artifacts`; see the module for what that promises. Writes nothing at all, not even the manifest,
    /// when nothing changed.
    ///
    /// # Errors
    /// See [`PublishError`]. After one, what was there before is still whole, or partly newer, and the same call
    /// made again completes it.
    pub async fn publish(&self, artifacts: &[Artifact], mode: PublishMode) -> Result<PublishStatus> {
        check_paths(artifacts)?;
        match self {
            Publisher::Directory(directory) => directory.publish(artifacts, mode).await,
            Publisher::S3(s3) => engine::publish(s3, artifacts, mode).await,
        }
    }
}

/// Every path must name one place below the root, and no two artifacts the same.
fn check_paths(artifacts: &[Artifact]) -> Result<()> {
    let mut seen = HashSet::new();
    for Artifact { path, .. } in artifacts {
        let bad = |reason| {
            Err(PublishError::BadPath {
                path: path.clone(),
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
            return bad("two artifacts have it");
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
            let error = check_paths(&[Artifact::text(path, "text/plain", "")]).unwrap_err();
            assert!(matches!(error, PublishError::BadPath { .. }), "{path}");
        }
        let twice = [
            Artifact::text("a", "text/plain", ""),
            Artifact::text("a", "text/plain", ""),
        ];
        assert!(check_paths(&twice).unwrap_err().to_string().contains("two artifacts"));
    }
}
