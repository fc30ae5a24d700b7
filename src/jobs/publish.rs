//! Publishes the report site.
//!
//! 1. Put what changed where the site is, leaves first.
//! 2. Record it in `ops.publication`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    domain::{
        artifact::{Artifact, media_type_of},
        run::JobStatus,
    },
    publish::{PublishMode, Publisher},
    store::{
        Store,
        publication::{self, Publication},
    },
};

/// Publishes `artifacts` and records it under `run_id`. A dry run records nothing.
///
/// # Errors
/// When the site could not be published, or that could not be recorded.
pub fn publish(
    store: &Store,
    publisher: &Publisher,
    artifacts: &[Artifact],
    mode: PublishMode,
    run_id: Option<Uuid>,
    runtime: &Handle,
) -> Result<JobStatus> {
    let target = publisher.target();
    let status = runtime
        .block_on(publisher.publish(artifacts, mode))
        .with_context(|| format!("failed to publish the site to `{target}`"))?;
    let [written, unchanged, deleted] =
        [status.written.len(), status.unchanged, status.deleted.len()].map(|count| count as u64);
    if !mode.dry_run {
        let publication = Publication {
            target: &target,
            run_id,
            written,
            unchanged,
            deleted,
        };
        publication::record(&*store.connection()?, &publication, store.clock().now())?;
    }
    Ok(JobStatus::done()
        .count("files_written", written)
        .count("files_unchanged", unchanged)
        .count("files_deleted", deleted))
}

/// Every file below `folder` as an artifact, its path that below the folder; none where there is no folder. Hidden
/// files are left out.
///
/// # Errors
/// When a file cannot be read.
pub fn artifacts_below(folder: &Path) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    if folder.exists() {
        collect(folder, "", &mut artifacts)?;
    }
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(artifacts)
}

fn collect(folder: &Path, prefix: &str, into: &mut Vec<Artifact>) -> Result<()> {
    let reading = |path: &Path| format!("cannot read `{}`", path.display());
    for entry in fs::read_dir(folder).with_context(|| reading(folder))? {
        let path = entry.with_context(|| reading(folder))?.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), into)?;
        } else {
            let bytes = fs::read(&path).with_context(|| reading(&path))?;
            into.push(Artifact {
                media_type: media_type_of(&name),
                path: name,
                bytes,
            });
        }
    }
    Ok(())
}
