//! A site in a folder on this machine.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    MANIFEST, PublishError, Result,
    engine::{Target, Version},
    manifest::{Manifest, kept},
};
use crate::domain::artifact::{Artifact, sha256_hex};

/// Held with a file lock, which the kernel lets go when its process ends.
const LOCK: &str = "_lock";
/// Where files are written before they are renamed into place; on the same file system, and emptied by the next call.
const ASIDE: &str = "_aside";

/// Publishes into a folder: every file is written aside and renamed into place.
#[derive(Debug, Clone)]
pub struct DirectoryPublisher {
    root: PathBuf,
    /// Held by whoever writes, until the last write is done: those of a call that was dropped still come to their end.
    _lock: Option<Arc<File>>,
}

impl DirectoryPublisher {
    pub(super) fn new(root: PathBuf) -> Self {
        DirectoryPublisher { root, _lock: None }
    }

    /// The publisher as the only one that publishes here, for as long as it and its clones are there.
    pub(super) fn locked(&self) -> Result<DirectoryPublisher> {
        self.io("making the folder", fs::create_dir_all(&self.root))?;
        let file = self.io(&format!("opening `{LOCK}`"), File::create(self.root.join(LOCK)))?;
        match file.try_lock() {
            Ok(()) => self.empty_aside().map(|()| DirectoryPublisher {
                root: self.root.clone(),
                _lock: Some(Arc::new(file)),
            }),
            Err(TryLockError::WouldBlock) => Err(PublishError::Busy { target: self.name() }),
            Err(TryLockError::Error(error)) => self.io(&format!("locking `{LOCK}`"), Err(error)),
        }
    }

    fn empty_aside(&self) -> Result<()> {
        match fs::remove_dir_all(self.root.join(ASIDE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => self.io(&format!("emptying `{ASIDE}`"), Err(error)),
            _ => Ok(()),
        }
    }

    /// What is at `path`; none where nothing is.
    fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => self.io(&format!("reading `{path}`"), other).map(Some),
        }
    }

    /// Gives what is at `path` a second name, or copies it where the file system has no such thing.
    fn link(&self, path: &str, to: &str) -> std::io::Result<()> {
        let (from, to_file) = (self.root.join(path), self.root.join(to));
        fs::create_dir_all(to_file.parent().unwrap_or(&self.root))?;
        match fs::hard_link(&from, &to_file) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            // Somebody took it away: there is nothing to keep.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(_) => self.write(to, &fs::read(from)?),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a file whole or not at all, also when the machine loses power.
    fn write(&self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        let to = self.root.join(path);
        let aside = self.root.join(ASIDE);
        fs::create_dir_all(&aside)?;
        fs::create_dir_all(to.parent().unwrap_or(&self.root))?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file has: the umask decides. A web server must be able to read it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(&aside)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(to)?;
        Ok(())
    }

    fn io<T>(&self, doing: &str, result: std::io::Result<T>) -> Result<T> {
        result.map_err(|source| PublishError::Io {
            target: self.name(),
            doing: doing.to_owned(),
            source,
        })
    }
}

impl Target for DirectoryPublisher {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    /// Whoever holds the file lock is alone: a lock left in the manifest is a dead publisher's.
    fn lease(&self) -> Duration {
        Duration::ZERO
    }

    async fn read_manifest(&self) -> Result<(Manifest, Version)> {
        match self.read_file(MANIFEST)? {
            Some(bytes) => {
                let manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::BadManifest {
                    target: self.name(),
                    path: MANIFEST.to_owned(),
                    source,
                })?;
                Ok((manifest, None))
            }
            None => Ok((Manifest::default(), None)),
        }
    }

    async fn write_manifest(&self, manifest: &Manifest, _: &Version) -> Result<Version> {
        let bytes = serde_json::to_vec_pretty(manifest).expect("a manifest is plain maps and strings");
        self.io(&format!("writing `{MANIFEST}`"), self.write(MANIFEST, &bytes))?;
        Ok(None)
    }

    /// On a thread of its own: a disk that is asked for many files at once has them sooner than one after the other.
    async fn put(&self, artifact: &Artifact) -> Result<()> {
        let (publisher, artifact) = (self.clone(), artifact.clone());
        let doing = format!("writing `{}`", artifact.path);
        let written = tokio::task::spawn_blocking(move || publisher.write(&artifact.path, &artifact.bytes)).await;
        self.io(&doing, written.unwrap_or_else(|died| Err(died.into())))
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.read_file(path)
    }

    async fn keep(&self, path: &str, hash: &str, _: bool) -> Result<()> {
        self.io(&format!("keeping what `{path}` was"), self.link(path, &kept(hash)))
    }

    async fn is_kept(&self, hash: &str) -> Result<bool> {
        // Who edits a published file edits what is kept of it, too.
        Ok(self
            .read_file(&kept(hash))?
            .is_some_and(|bytes| sha256_hex([bytes.as_slice()]) == hash))
    }

    async fn put_back(&self, hash: &str, path: &str) -> Result<()> {
        let put_back = fs::read(self.root.join(kept(hash))).and_then(|bytes| self.write(path, &bytes));
        self.io(&format!("putting `{path}` back"), put_back)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let file = self.root.join(path);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return self.io(&format!("deleting `{path}`"), Err(error));
            }
            _ => {}
        }
        // Folders that are empty now go with it; one that is not stays.
        let above = file.ancestors().skip(1);
        for folder in above.take_while(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }
}
