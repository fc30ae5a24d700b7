//! What is in a folder of extracts, and of what it was made: so that only what has changed is written again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Its name in the folder.
pub const MANIFEST: &str = "manifest.json";

/// Every file that was written, or was about to be, by its path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The files.
    pub files: BTreeMap<String, File>,
}

/// A file of the extracts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// What it was made of; empty of one that may be half of another version, as it is about to be written.
    pub version: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its length.
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

    /// As it is written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a map by texts is JSON");
        text.push(b'\n');
        text
    }
}
