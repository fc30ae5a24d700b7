//! Publishes the report site.
//!
//! 1. See whether what is new is fit to be read ([`gate`](super::gate)).
//! 2. Put it where the site is, leaves first; delete what is not there any more.
//! 3. Record it in `ops.publication`.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    domain::{
        cancel::{Cancel, Cancelled},
        run::JobStatus,
    },
    publish::{Item, NewEdition, PublishStatus, Publisher},
    store::{
        Store,
        publication::{self, Publication},
    },
};

/// While the site is written, whether that is still wanted is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Publishes `items` as `edition` asks for, and records it under `run_id`.
///
/// # Errors
/// When the site could not be published, or that could not be recorded; when the run was cancelled: the next one goes on.
pub fn publish(
    store: &Store,
    publisher: &Publisher,
    items: &[Item],
    edition: &NewEdition<'_>,
    run_id: Option<Uuid>,
    runtime: &Handle,
    cancel: &Cancel,
) -> Result<JobStatus> {
    let target = publisher.target();
    let publish = async {
        tokio::select! {
            status = publisher.publish(items, edition) => Ok(status?),
            cancelled = cancelled(cancel) => Err(anyhow::Error::new(cancelled)),
        }
    };
    let status = runtime
        .block_on(publish)
        .with_context(|| format!("failed to publish the site to `{target}`"))?;
    record(store, &target, &status, run_id)?;
    if let Some(edition) = status.edition {
        tracing::info!(site = target, "edition {edition} of the site is out");
    }
    Ok(JobStatus::done()
        .count("files_written", status.written.len() as u64)
        .count("files_deleted", status.deleted.len() as u64)
        .count("files_unchanged", status.unchanged as u64))
}

/// Records in the ledger what was done to the site in `target`.
///
/// # Errors
/// When it cannot be written.
pub fn record(store: &Store, target: &str, status: &PublishStatus, run_id: Option<Uuid>) -> Result<()> {
    let publication = Publication {
        target,
        run_id,
        written: status.written.len() as u64,
        deleted: status.deleted.len() as u64,
        unchanged: status.unchanged as u64,
    };
    Ok(publication::record(
        &*store.connection()?,
        &publication,
        store.clock().now(),
    )?)
}

/// Answers when the run was cancelled.
async fn cancelled(cancel: &Cancel) -> Cancelled {
    loop {
        match cancel.check() {
            Ok(()) => tokio::time::sleep(LOOK_EVERY).await,
            Err(cancelled) => return cancelled,
        }
    }
}

/// Every file below `folder`, to be published below `prefix`; none where there is no folder. Hidden files are left out.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(folder: &Path, prefix: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    if folder.exists() {
        collect(folder, prefix, &mut items)?;
    }
    items.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(items)
}

fn collect(folder: &Path, prefix: &str, into: &mut Vec<Item>) -> Result<()> {
    let reading = || format!("cannot read `{}`", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let file = entry.with_context(reading)?.path();
        let name = file.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if file.is_dir() {
            collect(&file, &format!("{path}/"), into)?;
        } else {
            into.push(Item::File { path, file });
        }
    }
    Ok(())
}
