//! What the manifest says while files change: a file of which it has the hash is there, with these bytes, wherever an extract is
//! cut short.
//!
//! 1. Before the first file changes, the manifest names all that may be replaced, deleted or come, without saying what they are.
//! 2. Files are written, each aside and then into its place, and deleted.
//! 3. Some seconds apart, and at the end, the manifest says of those that are done what they are.
//!
//! Where nothing changes, none of this happens.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use tokio::runtime::Handle;

use crate::extract::{
    manifest::{MANIFEST, Manifest},
    place::Place,
};

/// That files are about to change.
pub(super) struct Announcement<'a> {
    place: &'a Place,
    runtime: &'a Handle,
    manifest: Manifest,
    is_made: Mutex<bool>,
}

impl<'a> Announcement<'a> {
    /// One of `paths`, of what is there by `manifest`; not made yet.
    pub(super) fn new(place: &'a Place, runtime: &'a Handle, manifest: &Manifest, paths: &BTreeSet<String>) -> Self {
        Announcement {
            place,
            runtime,
            manifest: manifest.doubting(paths),
            is_made: Mutex::new(false),
        }
    }

    /// To be called before each change; the first one makes it.
    pub(super) fn make(&self) -> Result<()> {
        let mut is_made = self.is_made();
        if !*is_made {
            self.write(&self.manifest)?;
            *is_made = true;
        }
        Ok(())
    }

    /// Says what is there now, if anything has changed.
    pub(super) fn replace(&self, manifest: &Manifest) -> Result<()> {
        // Held so that two are not written at once.
        let is_made = self.is_made();
        if *is_made {
            self.write(manifest)?;
        }
        Ok(())
    }

    fn write(&self, manifest: &Manifest) -> Result<()> {
        Ok(self
            .runtime
            .block_on(self.place.write(MANIFEST, &manifest.to_bytes()))?)
    }

    fn is_made(&self) -> MutexGuard<'_, bool> {
        self.is_made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
