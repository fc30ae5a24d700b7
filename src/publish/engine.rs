//! The order of events in a publish call, the same for every target: read the manifest, plan, pass the gate, take the
//! lock, write rank by rank, delete, record the edition, let the lock go.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Item, NewEdition, PublishError, PublishStatus, Result, is_hashed,
    manifest::{self, Edition, Lock, Manifest, record_of},
    rank,
};
use crate::domain::artifact::{Artifact, media_type_of};

/// How many files are on their way, and in memory, at once.
pub(super) const PARALLEL: usize = 32;

/// Editions that can be gone back to.
pub(super) const KEPT_EDITIONS: u64 = 30;

/// So many files may always be deleted, as of a day that is taken away.
const FREE_DELETES: usize = 20;
/// Of more than those, every so many-th.
const DELETES_OF: usize = 10;

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

    /// What is at `path`; none where nothing is.
    fn read(&self, path: &str) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;

    /// Writes one artifact, whole or not at all.
    fn put(&self, artifact: &Artifact) -> impl Future<Output = Result<()>> + Send;

    /// Keeps what is at `path`, which has `hash`, for editions to come. Where it was perhaps replaced already by a
    /// publisher that died, it was kept before that: then `is_certain` is false.
    fn keep(&self, path: &str, hash: &str, is_certain: bool) -> impl Future<Output = Result<()>> + Send;

    /// Whether what has `hash` is kept, and is that.
    fn is_kept(&self, hash: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Puts what was kept under `hash` back at `path`.
    fn put_back(&self, hash: &str, path: &str) -> impl Future<Output = Result<()>> + Send;

    /// Deletes what is at `path`, if anything is.
    fn delete(&self, path: &str) -> impl Future<Output = Result<()>> + Send;
}

/// What a path is to have.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub hash: String,
    pub from: From<'a>,
}

/// Where the content comes from.
#[derive(Debug, Clone)]
pub(super) enum From<'a> {
    /// From this machine.
    Item(&'a Item),
    /// From what the target kept.
    Kept,
}

/// Every path that is to be there.
pub(super) type WantedSite<'a> = BTreeMap<String, Wanted<'a>>;

/// What `items` ask for.
pub(super) fn wanted(items: &[Item]) -> Result<WantedSite<'_>> {
    let wanted = items.iter().map(|item| {
        let (hash, from) = (item.content_hash()?, From::Item(item));
        Ok((item.path().to_owned(), Wanted { hash, from }))
    });
    wanted.collect()
}

/// What is to be done, in order.
struct Plan<'a> {
    /// One list a rank, lowest first.
    write: Vec<Vec<(&'a str, &'a Wanted<'a>)>>,
    /// What nobody links to any more.
    delete: Vec<String>,
    unchanged: usize,
    /// Path → hash, when all is done.
    files: BTreeMap<String, String>,
}

impl<'a> Plan<'a> {
    fn new(manifest: &Manifest, wanted: &'a WantedSite<'_>) -> Plan<'a> {
        let mut by_rank: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        let mut unchanged = 0;
        let mut files = BTreeMap::new();
        for (path, want) in wanted {
            if manifest.current(path) == Some(&want.hash) {
                unchanged += 1;
            } else {
                by_rank.entry(rank(path)).or_default().push((path.as_str(), want));
            }
            files.insert(path.clone(), want.hash.clone());
        }
        let mut delete = Vec::new();
        for path in manifest.paths() {
            if files.contains_key(path) {
                continue;
            }
            // A page that somebody's browser has kept asks for the style sheet that it was made with.
            match manifest.files.get(path).filter(|_| is_hashed(path)) {
                Some(hash) => drop(files.insert(path.clone(), hash.clone())),
                None => delete.push(path.clone()),
            }
        }
        Plan {
            write: by_rank.into_values().collect(),
            delete,
            unchanged,
            files,
        }
    }

    fn is_empty(&self) -> bool {
        self.write.is_empty() && self.delete.is_empty()
    }

    fn check_deletes(&self, target: &impl Target, manifest: &Manifest) -> Result<()> {
        let (deletes, published) = (self.delete.len(), manifest.files.len());
        match self.delete.first() {
            Some(example) if deletes > FREE_DELETES && deletes * DELETES_OF > published => {
                Err(PublishError::ManyDeletes {
                    target: target.name(),
                    deletes,
                    published,
                    example: example.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    fn status(&self) -> PublishStatus {
        PublishStatus {
            written: self
                .write
                .iter()
                .flatten()
                .map(|(path, _)| (*path).to_owned())
                .collect(),
            deleted: self.delete.clone(),
            unchanged: self.unchanged,
            edition: None,
        }
    }
}

/// What [`publish`] would do.
pub(super) async fn dry_run<T: Target>(target: &T, items: &[Item]) -> Result<PublishStatus> {
    let (manifest, _) = target.read_manifest().await?;
    Ok(Plan::new(&manifest, &wanted(items)?).status())
}

/// Publishes `items` to `target`. See the module's description for the promises.
pub(super) async fn publish<T: Target>(target: &T, items: &[Item], new: &NewEdition<'_>) -> Result<PublishStatus> {
    let (manifest, version) = read_unlocked(target).await?;
    let wanted = wanted(items)?;
    let plan = Plan::new(&manifest, &wanted);
    if !new.allow_deletes {
        plan.check_deletes(target, &manifest)?;
    }
    let is_new = |item: &&Item| manifest.current(item.path()) != wanted.get(item.path()).map(|wanted| &wanted.hash);
    let looked = (new.gate)(&items.iter().filter(is_new).collect::<Vec<_>>());
    let problems = looked.map_err(|source| PublishError::NotLookedAt {
        target: target.name(),
        source,
    })?;
    if !problems.is_empty() {
        return Err(PublishError::Unfit {
            target: target.name(),
            problems,
        });
    }
    carry_out(target, manifest, version, &plan, new, None).await
}

/// Does what is planned, under the lock, and records it as an edition: one like `same_as`, where an old one is put back.
pub(super) async fn replace<T: Target>(
    target: &T,
    (manifest, version): (Manifest, Version),
    wanted: &WantedSite<'_>,
    new: &NewEdition<'_>,
    same_as: Option<u64>,
) -> Result<PublishStatus> {
    let plan = Plan::new(&manifest, wanted);
    carry_out(target, manifest, version, &plan, new, same_as).await
}

async fn carry_out<T: Target>(
    target: &T,
    manifest: Manifest,
    version: Version,
    plan: &Plan<'_>,
    new: &NewEdition<'_>,
    same_as: Option<u64>,
) -> Result<PublishStatus> {
    if plan.is_empty() && manifest.lock.is_none() && manifest.unfinished.is_empty() {
        return Ok(plan.status());
    }
    let mut locked = manifest.clone();
    locked.lock = Some(Lock::new());
    let to_write = plan.write.iter().flatten().map(|(path, _)| *path);
    for path in to_write.chain(plan.delete.iter().map(String::as_str)) {
        locked.unfinished.insert(path.to_owned(), None);
    }
    let version = target.write_manifest(&locked, &version).await?;

    let reached = Mutex::new(locked.clone());
    let work = async {
        execute(target, plan, &manifest, &reached).await?;
        finish(target, plan, &manifest, new, same_as).await
    };
    match hold_lock_while(target, locked, version, work).await {
        (Ok(finished), version) => {
            target.write_manifest(&finished, &version).await?;
            Ok(PublishStatus {
                edition: (finished.edition > manifest.edition).then_some(finished.edition),
                ..plan.status()
            })
        }
        (Err(error), version) => {
            let mut reached = reached.into_inner().unwrap_or_else(PoisonError::into_inner);
            reached.lock = None;
            // Best effort: what was reached is recorded and the lock let go; if that fails too, the lease runs out.
            if let Err(second) = target.write_manifest(&reached, &version).await {
                tracing::debug!(error = %second, "the publish lock could not be let go after a failure");
            }
            Err(error)
        }
    }
}

/// Does `work` under the lock, and puts the manifest in place that it answers with.
pub(super) async fn under_lock<T: Target>(
    target: &T,
    manifest: &Manifest,
    version: Version,
    work: impl Future<Output = Result<Manifest>>,
) -> Result<()> {
    let unlocked = Manifest {
        lock: None,
        ..manifest.clone()
    };
    let locked = Manifest {
        lock: Some(Lock::new()),
        ..unlocked.clone()
    };
    let version = target.write_manifest(&locked, &version).await?;
    let (outcome, version) = hold_lock_while(target, locked, version, work).await;
    let wrote = target
        .write_manifest(outcome.as_ref().unwrap_or(&unlocked), &version)
        .await;
    outcome.and(wrote).map(drop)
}

/// Reads the manifest, waiting for one lease where another publisher holds it: when it lets go, we go on; when it is
/// alive, we are told so; when it stands still, it is dead and its lock is ours to replace.
pub(super) async fn read_unlocked<T: Target>(target: &T) -> Result<(Manifest, Version)> {
    let (first, version) = target.read_manifest().await?;
    if first.lock.is_none() {
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

/// Carries out the plan; `reached` says at any moment how far it got. What is replaced is kept first.
async fn execute<T: Target>(target: &T, plan: &Plan<'_>, before: &Manifest, reached: &Mutex<Manifest>) -> Result<()> {
    let keep = async |path: &str| match before.files.get(path) {
        Some(hash) => target.keep(path, hash, !before.unfinished.contains_key(path)).await,
        None => Ok(()),
    };
    for rank in &plan.write {
        stream::iter(rank)
            .map(Ok)
            .try_for_each_concurrent(PARALLEL, async |(path, want)| {
                keep(path).await?;
                match want.from {
                    From::Item(item) => {
                        let artifact = item.artifact()?;
                        // A file that changed since the plan was made is not what the gate has seen.
                        if matches!(item, Item::File { .. }) && artifact.content_hash() != want.hash {
                            return Err(PublishError::Changed {
                                path: (*path).to_owned(),
                            });
                        }
                        target.put(&artifact).await?;
                    }
                    From::Kept => target.put_back(&want.hash, path).await?,
                }
                let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
                reached.unfinished.insert((*path).to_owned(), Some(want.hash.clone()));
                Ok(())
            })
            .await?;
    }
    stream::iter(&plan.delete)
        .map(Ok)
        .try_for_each_concurrent(PARALLEL, async |path| {
            keep(path).await?;
            target.delete(path).await
        })
        .await
}

/// Records the edition and forgets those that are too old; answers the manifest that makes it the newest.
async fn finish<T: Target>(
    target: &T,
    plan: &Plan<'_>,
    before: &Manifest,
    new: &NewEdition<'_>,
    same_as: Option<u64>,
) -> Result<Manifest> {
    let mut finished = Manifest {
        files: plan.files.clone(),
        unfinished: BTreeMap::new(),
        lock: None,
        ..*before
    };
    let changes = manifest::changes(&before.files, &finished.files);
    if changes.is_empty() {
        // An edition that was begun and never finished was taken back.
        return Ok(finished);
    }
    finished.edition += 1;
    let edition = Edition {
        number: finished.edition,
        published_at: new.at,
        same_as,
        changes,
    };
    let path = record_of(edition.number);
    let text = serde_json::to_string(&edition).expect("an edition is plain maps and strings");
    target.put(&Artifact::text(&path, media_type_of(&path), text)).await?;
    finished.oldest = super::editions::forget_old(target, before.oldest, &edition).await?;
    Ok(finished)
}

/// Runs `work` and meanwhile shows that we are alive. Work stops when someone else has replaced our lock.
async fn hold_lock_while<T: Target, R>(
    target: &T,
    mut locked: Manifest,
    mut version: Version,
    work: impl Future<Output = Result<R>>,
) -> (Result<R>, Version) {
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
        let error = match target.write_manifest(&locked, &version).await {
            Ok(newer) => {
                version = newer;
                continue;
            }
            Err(error) => error,
        };
        let holder = |manifest: &Manifest| manifest.lock.as_ref().map(|lock| lock.holder);
        match target.read_manifest().await {
            // A beat that arrived and whose answer was lost.
            Ok((found, newer)) if holder(&found) == holder(&locked) => version = newer,
            _ if matches!(error, PublishError::Busy { .. }) => return (Err(error), version),
            // The next beat, or the work itself, will tell.
            _ => tracing::debug!(%error, "the publish lock could not be renewed"),
        }
    }
}
