//! Writes the extracts that analysts open: what is new or has changed since they were written last.
//!
//! 1. Say in the manifest what is about to change, so that what else it says holds: see `announcement`.
//! 2. Delete what there is to be no longer, and personal files that nobody asks for any more.
//! 3. Write the tables, several at a time, each aside and then into its place.
//! 4. Write workbooks over the rides, and Tableau's own format where there is a `hyperd`.
//! 5. Write the views and the dictionary, and in the manifest what everything is and was made of.

mod announcement;
mod describe;
mod found;
mod tree;
mod workbooks;

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use chrono::NaiveDate;
use tokio::runtime::Handle;

use self::tree::Tree;
use crate::{
    config::schedule::Schedule,
    domain::{cancel::Cancel, run::JobStatus},
    extract::{
        hyper::{HyperError, Hyperd},
        place::Place,
    },
    store::Store,
};

/// The folder of what has personal columns.
const PERSONAL: &str = "personal";

/// What is written, and where.
#[derive(Clone, Copy)]
pub struct Order<'o> {
    /// The folder or bucket.
    pub place: &'o Place,
    /// Which files.
    pub which: Which,
    /// Whether there is a second extract, in a folder of its own, that has personal columns.
    pub include_personal: bool,
    /// What makes the daily tables.
    pub schedule: &'o Schedule,
    /// What writes Tableau's own format, where there is one.
    pub hyperd: Option<&'o Hyperd>,
    /// Where their SQL is.
    pub jobs_dir: Option<&'o Path>,
    /// Waits for buckets.
    pub runtime: &'o Handle,
    /// Whether it is still wanted.
    pub cancel: &'o Cancel,
}

/// Which files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What is new or has changed.
    Changed,
    /// Those of a day in any case; and of tables that are one file, what has changed.
    Day(NaiveDate),
    /// All of them.
    All,
}

/// Hears how many of how many files were looked at, and which was the last. An error ends it there.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64, &str) -> std::io::Result<()>;

/// Writes what is to be written. The status counts `files_written`, `files_unchanged`, `files_deleted` and the `rows` written.
///
/// # Errors
/// When a day was asked for that is not sealed; when files cannot be written: those that were are new, all others as they were,
/// and the next run goes on. [`LeftOut`] where that is so of some tables only.
pub fn run(store: &Store, order: Order<'_>, progress: Progress<'_>) -> Result<JobStatus> {
    let personal = order.place.private_folder(PERSONAL);
    let mut counts = Counts::default();
    let without = Tree::new(store, order, order.place, false);
    if !order.include_personal {
        let deleted = found::clear(store, &personal, order.runtime)?;
        if deleted > 0 {
            tracing::info!(
                "the {deleted} files with personal columns in `{}` are deleted",
                personal.name()
            );
        }
        counts.deleted += deleted;
    }
    counts.add(without.write(progress)?);
    if order.include_personal {
        counts.add(Tree::new(store, order, &personal, true).write(progress)?);
    }
    if !counts.left_out.0.is_empty() {
        return Err(counts.left_out.into());
    }
    let status = JobStatus::done()
        .count("files_written", counts.written)
        .count("files_unchanged", counts.unchanged)
        .count("files_deleted", counts.deleted)
        .count("rows", counts.rows);
    Ok(JobStatus {
        nothing_to_do: counts.written + counts.deleted == 0,
        ..status
    })
}

/// Whether there are extracts of the store at `place`.
///
/// # Errors
/// When it cannot be read.
pub fn is_extracted(store: &Store, place: &Place, runtime: &Handle) -> Result<bool> {
    let is_any = |place: &Place| found::is_any(store, place, runtime);
    Ok(is_any(place)? || is_any(&place.private_folder(PERSONAL))?)
}

/// What could not be written while all else was, each with the reason. Nothing is left of it that says what is no longer so:
/// whoever was erased is not in it.
#[derive(Debug, Default, thiserror::Error)]
#[error("not all of the extracts could be written: {}; all else is", self.in_words())]
pub struct LeftOut(BTreeMap<String, String>);

impl LeftOut {
    /// Notes why `what` could not be written.
    fn add(&mut self, what: &str, error: impl Into<anyhow::Error>) {
        let reason = || format!("{:#}", error.into());
        self.0.entry(what.to_owned()).or_insert_with(reason);
    }

    fn in_words(&self) -> String {
        let parts: Vec<_> = self.0.iter().map(|(what, why)| format!("`{what}` ({why})")).collect();
        parts.join(", ")
    }
}

/// What became of files.
#[derive(Debug, Default)]
struct Counts {
    written: u64,
    unchanged: u64,
    deleted: u64,
    rows: u64,
    left_out: LeftOut,
}

impl Counts {
    /// Notes that `file` could not be written, if that is so for `hyperd`'s sake; with any other error nothing can go on.
    fn leave_out(&mut self, file: &str, error: anyhow::Error) -> Result<()> {
        let error: HyperError = error.downcast()?;
        // Of one that does not start, once is enough.
        let is_of_all = matches!(error, HyperError::Start(_));
        self.left_out.add(if is_of_all { "*.hyper" } else { file }, error);
        Ok(())
    }

    fn add(&mut self, other: Counts) {
        self.written += other.written;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.rows += other.rows;
        self.left_out.0.extend(other.left_out.0);
    }
}
