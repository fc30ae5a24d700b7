//! What is in a folder of extracts, and of what it was made: so that only what has changed is written again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

/// Its name in the folder.
pub const MANIFEST: &str = "manifest.json";

/// Every file that is there, by its path. One of which there is a hash has these bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Tells whose extracts these are: of one database and no other.
    pub owner: String,
    /// The files.
    pub files: BTreeMap<String, File>,
}

/// A file of the extracts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// What it was made of; empty of one that is about to be written or deleted.
    pub version: String,
    /// SHA-256 of its bytes, hexadecimal; empty as the version.
    pub sha256: String,
    /// Its length; 0 as the version is empty.
    pub size_bytes: u64,
    /// How many rows it has; none where it is no table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The hashes of the files that it was made of, by their paths, where only what changed of them is taken in again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub made_of: BTreeMap<String, String>,
}

impl Manifest {
    /// Whether the file at `path` was made of `version`.
    #[must_use]
    pub fn has(&self, path: &str, version: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.version == version)
    }

    /// The same, but nothing is said of the bytes of the files at `paths`: they are about to change.
    #[must_use]
    pub fn doubting(&self, paths: &BTreeSet<String>) -> Manifest {
        let mut doubting = self.clone();
        for path in paths {
            let file = doubting.files.entry(path.clone()).or_default();
            // Where it is whole, what it was made of holds for it all the same.
            *file = File {
                made_of: std::mem::take(&mut file.made_of),
                ..File::default()
            };
        }
        doubting
    }

    /// A path that leads out of the folder: no extract wrote that.
    #[must_use]
    pub fn path_elsewhere(&self) -> Option<&str> {
        let is_below = |path: &str| {
            let parts = Path::new(path).components();
            !path.is_empty() && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
        };
        self.files.keys().map(String::as_str).find(|path| !is_below(path))
    }

    /// As it is written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a map by texts is JSON");
        text.push(b'\n');
        text
    }
}
