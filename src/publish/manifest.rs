//! What the publisher writes down beside the site: what is there, and what each edition changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is published, and who is at work on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The number of the newest edition; 0 before the first.
    #[serde(default)]
    pub edition: u64,
    /// The oldest edition that has a record.
    #[serde(default)]
    pub oldest: u64,
    /// Path → SHA-256 of the content, as the newest edition has it.
    pub files: BTreeMap<String, String>,
    /// What an edition that was begun and not finished has changed: path → what it wrote, or none where it may have
    /// written, or deleted, or not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unfinished: BTreeMap<String, Option<String>>,
    /// The publisher at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// A publisher at work: as long as `beat` goes up, it is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lock {
    /// This publish call.
    pub holder: Uuid,
    /// Counts up.
    pub beat: u64,
}

impl Lock {
    /// That of a new call.
    pub(super) fn new() -> Self {
        Lock {
            holder: Uuid::from_bytes(rand::random()),
            beat: 0,
        }
    }
}

impl Manifest {
    /// The hash of what is at `path` now; none where nothing is, or where that is not known.
    pub(super) fn current(&self, path: &str) -> Option<&String> {
        match self.unfinished.get(path) {
            Some(reached) => reached.as_ref(),
            None => self.files.get(path),
        }
    }

    /// Every path where something may be.
    pub(super) fn paths(&self) -> BTreeSet<&String> {
        self.files.keys().chain(self.unfinished.keys()).collect()
    }
}

/// What one publish call changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// Counts up from 1.
    pub number: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// The edition that was put back, where this is one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<u64>,
    /// By path.
    pub changes: BTreeMap<String, Change>,
}

/// What an edition did to a path: the SHA-256 of the content before and after, none where there was or is no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Before.
    pub was: Option<String>,
    /// After.
    pub is: Option<String>,
}

impl Edition {
    /// How many files it wrote.
    #[must_use]
    pub fn written(&self) -> usize {
        self.changes.values().filter(|change| change.is.is_some()).count()
    }

    /// How many files it deleted.
    #[must_use]
    pub fn deleted(&self) -> usize {
        self.changes.len() - self.written()
    }

    /// Takes its changes back in `files`.
    pub(super) fn undo(&self, files: &mut BTreeMap<String, String>) {
        for (path, change) in &self.changes {
            match &change.was {
                Some(hash) => files.insert(path.clone(), hash.clone()),
                None => files.remove(path),
            };
        }
    }

    /// The hashes of what it replaced or deleted.
    pub(super) fn replaced(&self) -> impl Iterator<Item = &String> {
        self.changes.values().filter_map(|change| change.was.as_ref())
    }
}

/// How `old` becomes `new`.
pub(super) fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> BTreeMap<String, Change> {
    let paths: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |path: &String| Change {
        was: old.get(path).cloned(),
        is: new.get(path).cloned(),
    };
    paths
        .into_iter()
        .map(|path| (path.clone(), change(path)))
        .filter(|(_, change)| change.was != change.is)
        .collect()
}

/// Where the record of an edition is.
pub(super) fn record_of(edition: u64) -> String {
    format!("_editions/{edition}.json")
}

/// Where what has this hash is kept after it was replaced.
pub(super) fn kept(hash: &str) -> String {
    format!("_objects/{hash}")
}
