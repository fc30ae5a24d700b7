//! Files of single rides: in a folder of this machine that only its owner may read, or in a bucket.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use aws_sdk_s3::{Client, primitives::ByteStream};

use super::aws_words::classify;
use crate::{
    config::{aws, settings::Location},
    domain::message::SendError,
};

/// Where the files go.
#[derive(Debug)]
pub enum Files {
    /// A folder.
    Directory(PathBuf),
    /// A bucket.
    S3 {
        /// The client.
        client: Client,
        /// The bucket.
        bucket: String,
        /// Prefix of every key, without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl Files {
    /// Those of `location`; for a bucket with region and credentials from where AWS's own tools look for them.
    pub async fn open(location: &Location, endpoint_url: Option<&str>) -> Files {
        match location {
            Location::Directory(path) => Files::Directory(path.clone()),
            Location::S3 { bucket, prefix } => {
                let config = aws_sdk_s3::config::Builder::from(&aws::load(endpoint_url).await)
                    // A service other than AWS's has no names for its buckets.
                    .force_path_style(endpoint_url.is_some())
                    .build();
                Files::S3 {
                    client: Client::from_conf(config),
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                }
            }
        }
    }

    /// What the ledger and messages call the place.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Files::Directory(root) => root.display().to_string(),
            Files::S3 { bucket, prefix, .. } if prefix.is_empty() => format!("s3://{bucket}"),
            Files::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
        }
    }

    /// What messages call a file or folder in it.
    pub(super) fn path_of(&self, path: &str) -> String {
        format!("{}/{path}", self.name())
    }

    /// Writes a file whole, in place of one that is there.
    pub(super) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), SendError> {
        match self {
            Files::Directory(root) => write(root, path, &bytes).map_err(|error| self.unwritable(path, &error)),
            Files::S3 { client, bucket, .. } => client
                .put_object()
                .bucket(bucket)
                .key(self.key(path))
                .content_type("text/csv; charset=utf-8")
                .cache_control("no-store")
                .body(ByteStream::from(bytes))
                .send()
                .await
                .map(drop)
                .map_err(|error| classify(&error, &format!("S3 (`{}`)", self.name()), "s3:PutObject")),
        }
    }

    /// Removes a file, if it is there; answers whether it was, as far as that is known.
    pub(super) async fn delete(&self, path: &str) -> Result<bool, SendError> {
        match self {
            Files::Directory(root) => match fs::remove_file(root.join(path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unwritable(path, &error)),
                removed => {
                    // The ride's folder with it, once it is empty.
                    root.join(path).parent().map(fs::remove_dir);
                    Ok(removed.is_ok())
                }
            },
            Files::S3 { client, bucket, .. } => client
                .delete_object()
                .bucket(bucket)
                .key(self.key(path))
                .send()
                .await
                .map(|_| true)
                .map_err(|error| classify(&error, &format!("S3 (`{}`)", self.name()), "s3:DeleteObject")),
        }
    }

    fn key(&self, path: &str) -> String {
        match self {
            Files::S3 { prefix, .. } if !prefix.is_empty() => format!("{prefix}/{path}"),
            _ => path.to_owned(),
        }
    }

    fn unwritable(&self, path: &str, error: &std::io::Error) -> SendError {
        SendError::Retry(format!(
            "`{}` could not be written ({error}); check that the folder is writable and the disk has room",
            self.path_of(path)
        ))
    }
}

/// Aside and renamed: a reader of the folder never sees half a file. Only its owner may read it.
fn write(root: &Path, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let to = root.join(path);
    let folder = to.parent().unwrap_or(root);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&to)?;
    Ok(())
}
