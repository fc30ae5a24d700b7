//! A site in a folder on this machine.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write},
    path::PathBuf,
    time::Duration,
};

use super::{
    Item, MANIFEST, PublishError, PublishStatus, Result,
    engine::{self, Manifest, Target, Version},
};
use crate::domain::artifact::Artifact;

/// Held with a file lock, which the kernel lets go when its process ends.
const LOCK: &str = "_lock";
/// Where files are written before they are renamed into place; on the same file system, and emptied by the next call.
const ASIDE: &str = "_aside";

/// Publishes into a folder: every file is written aside and renamed into place.
#[derive(Debug)]
pub struct DirectoryPublisher {
    root: PathBuf,
}

impl DirectoryPublisher {
    pub(super) fn new(root: PathBuf) -> Self {
        DirectoryPublisher { root }
    }

    pub(super) async fn publish(&self, items: &[Item]) -> Result<PublishStatus> {
        let _lock = self.lock()?;
        self.empty_aside()?;
        let status = engine::publish(self, items).await;
        self.empty_aside()?;
        status
    }

    fn lock(&self) -> Result<File> {
        self.io("making the folder", fs::create_dir_all(&self.root))?;
        let file = self.io(&format!("opening `{LOCK}`"), File::create(self.root.join(LOCK)))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
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
        match fs::read(self.root.join(MANIFEST)) {
            Ok(bytes) => {
                let manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::BadManifest {
                    target: self.name(),
                    source,
                })?;
                Ok((manifest, None))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((Manifest::default(), None)),
            Err(error) => self.io(&format!("reading `{MANIFEST}`"), Err(error)),
        }
    }

    async fn write_manifest(&self, manifest: &Manifest, _: &Version) -> Result<Version> {
        let bytes = serde_json::to_vec_pretty(manifest).expect("a manifest is plain maps and strings");
        self.io(&format!("writing `{MANIFEST}`"), self.write(MANIFEST, &bytes))?;
        Ok(None)
    }

    async fn put(&self, artifact: &Artifact) -> Result<()> {
        self.io(
            &format!("writing `{}`", artifact.path),
            self.write(&artifact.path, &artifact.bytes),
        )
    }
}
