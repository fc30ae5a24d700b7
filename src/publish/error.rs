//! Why a site could not be published, in words for who has to do something about it.

use std::path::PathBuf;

use super::MANIFEST;

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
    /// Requests are signed with the time, and the service's clock has another.
    #[error(
        "`{target}` refused the time of this machine's clock while {doing}; set the clock, best by NTP, and publish again"
    )]
    ClockSkew {
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
    /// A file was rendered again while it was published.
    #[error("`{path}` was rendered again while it was published; publish again")]
    Changed {
        /// Path below the root of the site.
        path: String,
    },
    /// What is to be published cannot be read.
    #[error("`{}` was to be published and cannot be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was to be published was looked at and found wanting.
    #[error(
        "the site in `{target}` keeps its present edition, because the new one is not fit to be read: {}; once the cause is \
         mended, make those days again with `deloton run report --day DAY`, or many with `deloton backfill report --from DAY \
         --to DAY --only all`, and publish",
        spelt_out(.problems)
    )]
    Unfit {
        /// Where the site goes.
        target: String,
        /// What is wrong with it.
        problems: Vec<String>,
    },
    /// What was to be published could not be looked at.
    #[error("the site in `{target}` keeps its present edition, because the new one could not be looked at")]
    NotLookedAt {
        /// Where the site goes.
        target: String,
        /// Why.
        source: anyhow::Error,
    },
    /// More would vanish than anybody may have meant.
    #[error(
        "publishing to `{target}` would delete {deletes} of {published} files, `{example}` among them; is this the right \
         data folder for that site? `deloton run publish --dry-run` lists them, and \
         `deloton site publish --allow-deletes` does it all the same"
    )]
    ManyDeletes {
        /// Where the site goes.
        target: String,
        /// How many files would be deleted.
        deletes: usize,
        /// How many there are.
        published: usize,
        /// One of them.
        example: String,
    },
    /// There is no such edition.
    #[error("`{target}` has no edition {edition} to go back to; `deloton site editions` lists those that are kept")]
    NoEdition {
        /// Where the site goes.
        target: String,
        /// The one asked for.
        edition: u64,
    },
    /// An old file is not what the edition's record says.
    #[error(
        "edition {edition} cannot be put back: what `{path}` had then is not among the kept files of `{target}` any more, \
         or was changed there by somebody else; nothing was changed"
    )]
    NotKept {
        /// Where the site goes.
        target: String,
        /// The edition asked for.
        edition: u64,
        /// The file.
        path: String,
    },
    /// The manifest, or the record of an edition, is not one of ours.
    #[error(
        "`{path}` of `{target}` cannot be understood; move it away: without `{MANIFEST}` the next publish call writes \
         everything anew and begins to count editions again, without the record of an edition none before it can be put back"
    )]
    BadManifest {
        /// Where the site goes.
        target: String,
        /// The file.
        path: String,
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

/// The first few problems; the others are counted.
fn spelt_out(problems: &[String]) -> String {
    const MOST: usize = 8;
    let first = problems.iter().take(MOST).map(String::as_str).collect::<Vec<_>>();
    match problems.len().saturating_sub(MOST) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

/// Result of publishing.
pub type Result<T, E = PublishError> = std::result::Result<T, E>;
