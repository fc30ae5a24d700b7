//! The order of events in a publish call, the same for every target: read the manifest, plan, take the lock, write
//! rank by rank, let the lock go.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PublishError, PublishMode, PublishStatus, Result, Unlisted, rank};
use crate::domain::artifact::Artifact;

/// How many artifacts are on their way at once.
const PARALLEL_PUTS: usize = 16;

/// What is published, and who is at work on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Path → SHA-256 of the content; none while a publisher is writing the path.
    pub files: BTreeMap<String, Option<String>>,
    /// The publisher at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// A publisher at work: as long as `beat` goes up, it is alive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lock {
    /// This publish call.
    pub holder: Uuid,
    /// Counts up.
    pub beat: u64,
}

/// The version of a manifest that was read; none where there is no manifest yet.
pub(super) type Version = Option<String>;

/// What differs between a folder and a bucket.
pub(super) trait Target: Sync {
    /// Where the site goes, as a person writes it.
    fn name(&self) -> String;

    /// How long a lock must stand still until its holder counts as dead.
    fn lease(&self) -> Duration;

    /// The manifest and its version; an empty one where there is none.
    fn read_manifest(&self) -> impl Future<Output = Result<(Manifest, Version)>> + Send;

    /// Replaces the manifest, only if it still has `version`; [`PublishError::Busy`] if not.
    fn write_manifest(&self, manifest: &Manifest, version: &Version) -> impl Future<Output = Result<Version>> + Send;

    /// Writes one artifact, whole or not at all.
    fn put(&self, artifact: &Artifact) -> impl Future<Output = Result<()>> + Send;

    /// Deletes a path; one that is not there is fine.
    fn delete(&self, path: &str) -> impl Future<Output = Result<()>> + Send;
}

/// What is to be done, in order.
struct Plan<'a> {
    /// One list a rank, lowest first.
    write: Vec<Vec<(&'a Artifact, String)>>,
    unchanged: usize,
    delete: Vec<String>,
}

impl Plan<'_> {
    fn is_empty(&self) -> bool {
        self.write.is_empty() && self.delete.is_empty()
    }

    fn status(&self) -> PublishStatus {
        let written = self
            .write
            .iter()
            .flatten()
            .map(|(artifact, _)| artifact.path.clone())
            .collect();
        PublishStatus {
            written,
            unchanged: self.unchanged,
            deleted: self.delete.clone(),
        }
    }
}

/// Publishes `artifacts` to `target`. See the module's description for the promises.
pub(super) async fn publish<T: Target>(target: &T, artifacts: &[Artifact], mode: PublishMode) -> Result<PublishStatus> {
    let (manifest, version) = read_unlocked(target, mode.dry_run).await?;
    let plan = plan(&manifest, artifacts, mode, || target.name())?;
    if mode.dry_run || (plan.is_empty() && manifest.lock.is_none()) {
        return Ok(plan.status());
    }

    let mut locked = manifest;
    locked.lock = Some(Lock {
        holder: Uuid::from_bytes(rand::random()),
        beat: 0,
    });
    for path in plan
        .write
        .iter()
        .flatten()
        .map(|(artifact, _)| &artifact.path)
        .chain(&plan.delete)
    {
        locked.files.insert(path.clone(), None);
    }
    let version = target.write_manifest(&locked, &version).await?;

    let done = Mutex::new(locked.clone());
    let outcome = hold_lock_while(target, locked, version, execute(target, &plan, &done)).await;
    let mut reached = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    reached.lock = None;
    match outcome {
        (Ok(()), version) => target.write_manifest(&reached, &version).await.map(|_| plan.status()),
        (Err(error), version) => {
            // Best effort: what was reached is recorded and the lock let go; if that fails too, the lease runs out.
            if let Err(second) = target.write_manifest(&reached, &version).await {
                tracing::debug!(error = %second, "the publish lock could not be let go after a failure");
            }
            Err(error)
        }
    }
}

/// Reads the manifest, waiting for one lease where another publisher holds it: when it lets go, we go on; when it is
/// alive, we are told so; when it stands still, it is dead and its lock is ours to replace.
async fn read_unlocked<T: Target>(target: &T, dry_run: bool) -> Result<(Manifest, Version)> {
    let (first, version) = target.read_manifest().await?;
    if first.lock.is_none() || dry_run {
        return Ok((first, version));
    }
    tokio::time::sleep(target.lease()).await;
    let (second, version) = target.read_manifest().await?;
    if second.lock.is_some() && second.lock != first.lock {
        return Err(PublishError::Busy { target: target.name() });
    }
    if second.lock.is_some() {
        tracing::info!(site = target.name(), "a publisher that died left its lock; taking over");
    }
    Ok((second, version))
}

fn plan<'a>(
    manifest: &Manifest,
    artifacts: &'a [Artifact],
    mode: PublishMode,
    name: impl Fn() -> String,
) -> Result<Plan<'a>> {
    let mut by_rank: BTreeMap<u8, Vec<(&Artifact, String)>> = BTreeMap::new();
    let mut unchanged = 0;
    for artifact in artifacts {
        let hash = artifact.content_hash();
        if !mode.rewrite && manifest.files.get(&artifact.path).and_then(Option::as_ref) == Some(&hash) {
            unchanged += 1;
        } else {
            by_rank.entry(rank(&artifact.path)).or_default().push((artifact, hash));
        }
    }
    let mut delete = Vec::new();
    if mode.unlisted != Unlisted::Keep {
        let listed: BTreeSet<&str> = artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
        delete.extend(
            manifest
                .files
                .keys()
                .filter(|path| !listed.contains(path.as_str()))
                .cloned(),
        );
        if mode.unlisted == Unlisted::Delete && delete.len() * 2 > manifest.files.len() {
            let (deleted, published) = (delete.len(), manifest.files.len());
            return Err(PublishError::TooManyDeletions {
                target: name(),
                deleted,
                published,
            });
        }
    }
    Ok(Plan {
        write: by_rank.into_values().collect(),
        unchanged,
        delete,
    })
}

/// Carries out the plan; `done` says at any moment how far it got. Deletions come last: by then nothing links to them.
async fn execute<T: Target>(target: &T, plan: &Plan<'_>, done: &Mutex<Manifest>) -> Result<()> {
    let reached = || done.lock().unwrap_or_else(PoisonError::into_inner);
    for rank in &plan.write {
        stream::iter(rank)
            .map(Ok)
            .try_for_each_concurrent(PARALLEL_PUTS, async |(artifact, hash)| {
                target.put(artifact).await?;
                reached().files.insert(artifact.path.clone(), Some(hash.clone()));
                Ok(())
            })
            .await?;
    }
    stream::iter(&plan.delete)
        .map(Ok)
        .try_for_each_concurrent(PARALLEL_PUTS, async |path| {
            target.delete(path).await?;
            reached().files.remove(path);
            Ok(())
        })
        .await
}

/// Runs `work` and meanwhile shows that we are alive. Work stops when someone else has replaced our lock.
async fn hold_lock_while<T: Target>(
    target: &T,
    mut locked: Manifest,
    mut version: Version,
    work: impl Future<Output = Result<()>>,
) -> (Result<()>, Version) {
    let mut work = std::pin::pin!(work);
    loop {
        let beat = target.lease() / 4;
        tokio::select! {
            outcome = &mut work => return (outcome, version),
            () = tokio::time::sleep(beat), if !beat.is_zero() => {}
        }
        if let Some(lock) = &mut locked.lock {
            lock.beat += 1;
        }
        match target.write_manifest(&locked, &version).await {
            Ok(newer) => version = newer,
            Err(error @ PublishError::Busy { .. }) => return (Err(error), version),
            // The next beat, or the work itself, will tell.
            Err(error) => tracing::debug!(%error, "the publish lock could not be renewed"),
        }
    }
}
