//! Where extracts are: a folder of this machine, or a bucket. A reader never sees half a file: in a folder each is written aside
//! and renamed, and what is put into a bucket is there whole or not at all.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};

use crate::{
    config::{
        aws::{self, Refusal},
        settings::Location,
    },
    domain::artifact::media_type_of,
};

/// Where files are written before they are put in their place; emptied by the next extract.
const ASIDE: &str = "_aside";
/// A file of some hundred megabytes over a slow line.
const UPLOAD: Duration = Duration::from_mins(30);

/// Where extracts are.
#[derive(Debug, Clone)]
pub struct Place {
    root: Root,
    /// Below the root, with a slash at its end unless it is the root.
    folder: String,
    /// Nobody but its owner reads what is here.
    is_private: bool,
    aside: PathBuf,
}

#[derive(Debug, Clone)]
enum Root {
    Directory(PathBuf),
    S3 {
        client: Client,
        bucket: String,
        prefix: String,
        /// The address of a service other than AWS's.
        endpoint: Option<String>,
    },
}

/// Why something could not be done there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A file of this machine could not be read or written, or an answer not be read to its end.
    #[error("{doing} failed")]
    Failed {
        /// What was being done, and where.
        doing: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A bucket refused.
    #[error("{words}")]
    Bucket {
        /// What it refused, and what is to be done.
        words: String,
        /// What it said, where the words do not say why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// Result of working with extracts.
pub type Result<T> = std::result::Result<T, PlaceError>;

impl Place {
    /// That of `location`; what goes into a bucket is written into a folder of `data_dir` first.
    pub async fn open(location: &Location, endpoint_url: Option<&str>, data_dir: &Path) -> Place {
        let (root, aside) = match location {
            Location::Directory(path) => (Root::Directory(path.clone()), path.join(ASIDE)),
            Location::S3 { bucket, prefix } => {
                let loaded = aws::load(endpoint_url).await;
                let timeouts = loaded.timeout_config().map(|timeouts| timeouts.to_builder());
                let config = aws_sdk_s3::config::Builder::from(&loaded)
                    .timeout_config(timeouts.unwrap_or_default().operation_attempt_timeout(UPLOAD).build())
                    // A service other than AWS's has no names for its buckets.
                    .force_path_style(endpoint_url.is_some())
                    .build();
                let root = Root::S3 {
                    client: Client::from_conf(config),
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                    endpoint: endpoint_url.map(str::to_owned),
                };
                (root, data_dir.join("extracts").join(ASIDE))
            }
        };
        Place {
            root,
            folder: String::new(),
            is_private: false,
            aside,
        }
    }

    /// A folder in it that nobody but its owner reads, where it is one of this machine.
    #[must_use]
    pub fn private_folder(&self, name: &str) -> Place {
        Place {
            root: self.root.clone(),
            folder: format!("{}{name}/", self.folder),
            is_private: true,
            aside: self.aside.clone(),
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match &self.root {
            Root::Directory(root) => root.join(&self.folder).display().to_string(),
            Root::S3 { .. } => format!("s3://{}", self.in_bucket("")),
        };
        name.trim_end_matches('/').to_owned()
    }

    /// What file names in a script begin with: nothing in a folder, where they are read from.
    #[must_use]
    pub fn file_prefix(&self) -> String {
        match &self.root {
            Root::Directory(_) => String::new(),
            Root::S3 { .. } => format!("s3://{}", self.in_bucket("")),
        }
    }

    /// The file of this machine that is at `path`, or would be; none in a bucket.
    #[must_use]
    pub fn local(&self, path: &str) -> Option<PathBuf> {
        match &self.root {
            Root::Directory(root) => Some(root.join(&self.folder).join(path)),
            Root::S3 { .. } => None,
        }
    }

    /// An empty folder for files that are put here afterwards; what an extract that was cut short left there is gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(&self) -> Result<PathBuf> {
        let make = || {
            match fs::remove_dir_all(&self.aside) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.aside.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::DirBuilder::new().mode(0o700).create(&self.aside)
        };
        make().map_err(|error| self.failed(&format!("making the folder `{}`", self.aside.display()), error))?;
        Ok(self.aside.clone())
    }

    /// Removes the folder that [`begin`](Self::begin) made.
    pub fn end(&self) {
        if let Err(error) = fs::remove_dir_all(&self.aside) {
            tracing::debug!("`{}` stays until the next extract: {error}", self.aside.display());
        }
    }

    /// What is at `path`; none where nothing is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let doing = format!("reading `{path}`");
        match &self.root {
            Root::Directory(root) => match fs::read(root.join(&self.folder).join(path)) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                read => read.map(Some).map_err(|error| self.failed(&doing, error)),
            },
            Root::S3 { client, bucket, .. } => {
                let asked = client.get_object().bucket(bucket).key(self.key(path)).send().await;
                match asked {
                    Ok(output) => {
                        let body = output.body.collect().await;
                        body.map(|body| Some(body.to_vec()))
                            .map_err(|error| self.failed(&doing, error))
                    }
                    Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
                    Err(error) => Err(self.refused(&doing, error)),
                }
            }
        }
    }

    /// Puts the file `from`, of the folder that [`begin`](Self::begin) made, in its place; it is gone from there.
    ///
    /// # Errors
    /// When it cannot be written; what was there is there still.
    pub async fn put(&self, path: &str, from: &Path) -> Result<()> {
        let doing = format!("writing `{path}`");
        match &self.root {
            Root::Directory(root) => self
                .rename(from, &root.join(&self.folder).join(path))
                .map_err(|error| self.failed(&doing, error)),
            Root::S3 { client, bucket, .. } => {
                let body = ByteStream::from_path(from)
                    .await
                    .map_err(|error| self.failed(&doing, error))?;
                let put = client
                    .put_object()
                    .bucket(bucket)
                    .key(self.key(path))
                    .content_type(media_type_of(path))
                    .cache_control("no-store")
                    .body(body)
                    .send()
                    .await;
                put.map_err(|error| self.refused(&doing, error))?;
                fs::remove_file(from).map_err(|error| self.failed(&doing, error))
            }
        }
    }

    /// Writes a file whole.
    ///
    /// # Errors
    /// When it cannot be written; what was there is there still.
    pub async fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let from = self.aside.join(path.replace('/', "-"));
        fs::write(&from, bytes).map_err(|error| self.failed(&format!("writing `{path}`"), error))?;
        self.put(path, &from).await
    }

    /// Removes a file, if it is there, and the folder it was in once that is empty.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let doing = format!("deleting `{path}`");
        match &self.root {
            Root::Directory(root) => {
                let file = root.join(&self.folder).join(path);
                match fs::remove_file(&file) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(&doing, error)),
                    _ => {
                        // Those that are not empty stay.
                        let folders = file.ancestors().skip(1).take_while(|folder| folder != root);
                        folders.map_while(|folder| fs::remove_dir(folder).ok()).for_each(drop);
                        Ok(())
                    }
                }
            }
            Root::S3 { client, bucket, .. } => {
                let deleted = client.delete_object().bucket(bucket).key(self.key(path)).send().await;
                deleted.map(drop).map_err(|error| self.refused(&doing, error))
            }
        }
    }

    /// The lengths of those of `paths` that are there.
    ///
    /// # Errors
    /// When a bucket cannot be listed.
    pub async fn sizes(&self, paths: impl Iterator<Item = &String>) -> Result<BTreeMap<String, u64>> {
        match &self.root {
            Root::Directory(root) => {
                let size = |path: &String| {
                    let found = fs::metadata(root.join(&self.folder).join(path)).ok()?;
                    Some((path.clone(), found.len()))
                };
                Ok(paths.filter_map(size).collect())
            }
            Root::S3 { client, bucket, .. } => {
                let prefix = self.key("");
                let mut pages = client
                    .list_objects_v2()
                    .bucket(bucket)
                    .prefix(&prefix)
                    .into_paginator()
                    .send();
                let mut sizes = BTreeMap::new();
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| self.refused("listing what is there", error))?;
                    sizes.extend(page.contents().iter().filter_map(|object| {
                        let path = object.key()?.strip_prefix(&prefix)?;
                        Some((path.to_owned(), u64::try_from(object.size()?).ok()?))
                    }));
                }
                Ok(sizes)
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let folder = to.parent().unwrap_or(to);
        if self.is_private {
            fs::set_permissions(from, fs::Permissions::from_mode(0o600))?;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        } else {
            fs::create_dir_all(folder)?;
        }
        let file = File::open(from)?;
        file.sync_all()?;
        // Gigabytes that nobody reads again soon are not to push the database out of the memory of the machine.
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
        fs::rename(from, to)
    }

    fn key(&self, path: &str) -> String {
        match &self.root {
            Root::S3 { prefix, .. } if !prefix.is_empty() => format!("{prefix}/{}{path}", self.folder),
            _ => format!("{}{path}", self.folder),
        }
    }

    fn in_bucket(&self, path: &str) -> String {
        match &self.root {
            Root::S3 { bucket, .. } => format!("{bucket}/{}", self.key(path)),
            Root::Directory(_) => self.key(path),
        }
    }

    fn failed(&self, doing: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PlaceError {
        PlaceError::Failed {
            doing: format!("{doing} in `{}`", self.name()),
            source: source.into(),
        }
    }

    /// What a bucket refused, and what is to be done.
    fn refused<E>(&self, doing: &str, error: SdkError<E>) -> PlaceError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (name, refusal) = (self.name(), Refusal::of(&error));
        let words = match refusal {
            Refusal::MissingBucket => {
                format!("the bucket of `{name}` does not exist; create it, or name another with --to or --extracts")
            }
            Refusal::WrongRegion => {
                format!("the bucket of `{name}` is in another region; set AWS_REGION to the bucket's")
            }
            Refusal::NoRegion => format!("no AWS region is set for `{name}`; set AWS_REGION to the bucket's"),
            Refusal::NoCredentials => format!(
                "no AWS credentials were found for `{name}`; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ),
            Refusal::Denied => format!(
                "access to `{name}` was denied while {doing}; the credentials need s3:ListBucket on the bucket and \
                 s3:GetObject, s3:PutObject and s3:DeleteObject on its objects"
            ),
            Refusal::Throttled => {
                format!("`{name}` asked to slow down while {doing}, also after waiting; the next extract goes on")
            }
            Refusal::ClockSkew => format!(
                "`{name}` refused the time of this machine's clock while {doing}; set the clock, best by NTP, and extract again"
            ),
            Refusal::Unreachable => {
                let endpoint = match &self.root {
                    Root::S3 {
                        endpoint: Some(url), ..
                    } => format!(" at `{url}`"),
                    _ => String::new(),
                };
                format!(
                    "`{name}` could not be reached{endpoint} while {doing}; check the network and `--aws-endpoint-url`; the \
                     next extract goes on"
                )
            }
            Refusal::Busy | Refusal::Other => format!("`{name}` refused while {doing}"),
        };
        let is_told_by_it = matches!(refusal, Refusal::Unreachable | Refusal::Busy | Refusal::Other);
        PlaceError::Bucket {
            words,
            source: is_told_by_it.then(|| error.into()),
        }
    }
}
