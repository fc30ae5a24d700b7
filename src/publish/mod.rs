//! Puts what was rendered where people open it: a folder or a bucket.
//!
//! What is new or changed is written, leaves first and the root's `index.html` last, so that no page ever points at
//! something that is not there yet; what did not change is not touched; what is not asked for any more is deleted at the
//! end, never much of it unless that was allowed, and never what the publisher did not write itself.
//!
//! Every call that changes something makes an edition. A manifest beside the site says what is there (path → SHA-256), a
//! record an edition says what it changed, and what it replaced or deleted is kept under its hash, so that an older
//! edition can be put back.
//!
//! The manifest is also the lock: it can be replaced only by someone who has read its newest version. While a publisher
//! is at work, the manifest lists the paths it is about to change, so that whoever comes after a crash knows which are
//! in doubt.
//!
//! ```text
//! _manifest.json        what is there, and who is at work
//! _editions/<n>.json    what edition n changed
//! _objects/<hash>       what was replaced
//! ```

mod directory;
mod editions;
mod engine;
mod error;
mod manifest;
mod s3;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::HashSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use aws_sdk_s3::config::retry::RetryConfig;
use chrono::{DateTime, Utc};

pub use directory::DirectoryPublisher;
pub use editions::Editions;
use engine::Target as _;
pub use error::{PublishError, Result};
pub use manifest::{Change, Edition};
pub use s3::S3Publisher;

use crate::{
    config::{aws, settings::Location},
    domain::artifact::{Artifact, media_type_of, sha256_hex_of},
};

/// How often a request is made before it counts as failed.
const TRIES: u32 = 6;

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

    /// The item with its content.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn artifact(&self) -> Result<Cow<'_, Artifact>> {
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
    /// Paths deleted: what was published before and is not asked for any more.
    pub deleted: Vec<String>,
    /// How many items were already there with the same content.
    pub unchanged: usize,
    /// The number of the edition that this made; none where nothing changed, and of a plan.
    pub edition: Option<u64>,
}

/// What looks at the items that are new or changed before any of them is published, and answers what is wrong with them.
pub type Gate<'a> = &'a (dyn Fn(&[&Item]) -> anyhow::Result<Vec<String>> + Sync);

/// How an edition is to be made.
#[derive(Clone, Copy)]
pub struct NewEdition<'a> {
    /// Now.
    pub at: DateTime<Utc>,
    /// Whether any number of files may be deleted.
    pub allow_deletes: bool,
    /// Has to let the new files pass.
    pub gate: Gate<'a>,
}

impl NewEdition<'_> {
    /// An edition made at `at` of files that nobody looks at first, and that deletes few.
    #[must_use]
    pub fn unchecked(at: DateTime<Utc>) -> NewEdition<'static> {
        NewEdition {
            at,
            allow_deletes: false,
            gate: &|_| Ok(Vec::new()),
        }
    }
}

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
                    // A bucket that asks to slow down is asked again some seconds later, not given up.
                    .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
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

    /// Publishes `items`, which are the site; see the module for what that promises. Writes nothing at all, not even the
    /// manifest, when nothing changed.
    ///
    /// # Errors
    /// See [`PublishError`]. After one, what was there before is still whole, or partly newer, and the same call
    /// made again completes it.
    pub async fn publish(&self, items: &[Item], new: &NewEdition<'_>) -> Result<PublishStatus> {
        check_paths(items)?;
        match self {
            Publisher::Directory(directory) => engine::publish(&directory.locked()?, items, new).await,
            Publisher::S3(s3) => engine::publish(s3, items, new).await,
        }
    }

    /// The editions of the site.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn editions(&self) -> Result<Editions> {
        match self {
            Publisher::Directory(directory) => editions::list(directory).await,
            Publisher::S3(s3) => editions::list(s3).await,
        }
    }

    /// Makes the site what it was in the edition `number`: that makes a new edition, and the old ones stay.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn roll_back(&self, number: u64, at: DateTime<Utc>) -> Result<PublishStatus> {
        let new = NewEdition::unchecked(at);
        match self {
            Publisher::Directory(directory) => editions::roll_back(&directory.locked()?, number, &new).await,
            Publisher::S3(s3) => editions::roll_back(s3, number, &new).await,
        }
    }

    /// Deletes all that older editions had and the newest has not: no older one can be gone back to any more. Answers how many
    /// were forgotten.
    ///
    /// # Errors
    /// See [`PublishError`]; the same call made again completes it.
    pub async fn forget_editions(&self) -> Result<u64> {
        match self {
            Publisher::Directory(directory) => editions::forget_all(&directory.locked()?).await,
            Publisher::S3(s3) => editions::forget_all(s3).await,
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
