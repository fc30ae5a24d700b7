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

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        path::Path,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::publish::{DirectoryPublisher, MANIFEST, Publisher};

    /// A folder whose publisher is killed after so many writes: from then on nothing it does has any effect.
    struct Killed {
        folder: DirectoryPublisher,
        writes_left: AtomicUsize,
    }

    impl Killed {
        fn step(&self) -> Result<()> {
            let left = self
                .writes_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.map(drop).map_err(|_| PublishError::Busy {
                target: "killed".to_owned(),
            })
        }
    }

    impl Target for Killed {
        fn name(&self) -> String {
            self.folder.name()
        }

        fn lease(&self) -> Duration {
            self.folder.lease()
        }

        async fn read_manifest(&self) -> Result<(Manifest, Version)> {
            self.folder.read_manifest().await
        }

        async fn write_manifest(&self, manifest: &Manifest, version: &Version) -> Result<Version> {
            self.step()?;
            self.folder.write_manifest(manifest, version).await
        }

        async fn put(&self, artifact: &Artifact) -> Result<()> {
            self.step()?;
            self.folder.put(artifact).await
        }

        async fn delete(&self, path: &str) -> Result<()> {
            self.step()?;
            self.folder.delete(path).await
        }
    }

    fn site(version: u32) -> Vec<Artifact> {
        let paths = [
            "index.html",
            "sitemap.xml",
            "2026-11-21/index.html",
            "2026-11-21/rides.csv",
            "2026-11-21/a.pdf",
        ];
        paths
            .map(|path| Artifact::text(path, "text/plain", format!("{path} {version}")))
            .to_vec()
    }

    fn files(root: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    }

    fn pages(root: &Path) -> BTreeMap<String, String> {
        let mut found = files(root);
        found.retain(|path, _| !path.starts_with('_'));
        found
    }

    fn expected(version: u32) -> BTreeMap<String, String> {
        let pair = |artifact: Artifact| (artifact.path, String::from_utf8(artifact.bytes).unwrap());
        site(version).into_iter().map(pair).collect()
    }

    #[tokio::test]
    async fn killed_anywhere_a_folder_has_no_link_to_nothing_and_the_next_call_completes_it() {
        for writes in 0..8 {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("site");
            let killed = Killed {
                folder: DirectoryPublisher::new(root.clone()),
                writes_left: writes.into(),
            };
            fs::create_dir(&root).unwrap();
            let result = publish(&killed, &site(1), PublishMode::default()).await;
            assert_eq!(result.is_ok(), writes == 7, "two manifests and five files");
            let found = pages(&root);
            let has = |path: &str| found.contains_key(path);
            assert!(!has("index.html") || has("sitemap.xml"));
            assert!(!has("sitemap.xml") || has("2026-11-21/index.html"));
            assert!(!has("2026-11-21/index.html") || (has("2026-11-21/rides.csv") && has("2026-11-21/a.pdf")));

            let again = Publisher::directory(&root);
            again.publish(&site(1), PublishMode::default()).await.unwrap();
            assert_eq!(pages(&root), expected(1), "after {writes} writes");
        }
    }

    #[tokio::test]
    async fn content_that_goes_back_after_a_crash_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::directory(folder.path());
        publisher.publish(&site(1), PublishMode::default()).await.unwrap();
        let killed = Killed {
            folder: DirectoryPublisher::new(folder.path().to_owned()),
            writes_left: 4.into(),
        };
        publish(&killed, &site(2), PublishMode::default()).await.unwrap_err();
        assert_ne!(pages(folder.path()), expected(1));
        publisher.publish(&site(1), PublishMode::default()).await.unwrap();
        assert_eq!(pages(folder.path()), expected(1));
    }

    #[tokio::test]
    async fn a_folder_is_published_by_one_at_a_time_and_untouched_when_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::directory(folder.path());
        publisher.publish(&site(1), PublishMode::default()).await.unwrap();
        let stamps = || {
            let stamp = |path: &String| fs::metadata(folder.path().join(path)).unwrap().modified().unwrap();
            files(folder.path())
                .keys()
                .filter(|path| *path != "_lock")
                .map(|path| (path.clone(), stamp(path)))
                .collect::<Vec<_>>()
        };
        let before = stamps();
        let status = publisher.publish(&site(1), PublishMode::default()).await.unwrap();
        assert_eq!((status.written.len(), status.unchanged), (0, 5));
        assert_eq!(stamps(), before);

        let held = fs::File::open(folder.path().join("_lock")).unwrap();
        held.lock().unwrap();
        let error = publisher.publish(&site(2), PublishMode::default()).await.unwrap_err();
        assert!(matches!(error, PublishError::Busy { .. }), "{error}");
        assert_eq!(pages(folder.path()), expected(1));
    }

    #[tokio::test]
    async fn a_file_that_goes_takes_its_empty_folder_along_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::directory(folder.path());
        publisher.publish(&site(1), PublishMode::default()).await.unwrap();
        fs::write(folder.path().join("mine.txt"), "mine").unwrap();
        let mode = PublishMode {
            unlisted: Unlisted::DeleteForced,
            ..PublishMode::default()
        };
        let status = publisher.publish(&site(1)[..2], mode).await.unwrap();
        assert_eq!(status.deleted.len(), 3);
        assert!(!folder.path().join("2026-11-21").exists());
        assert_eq!(
            pages(folder.path()).into_keys().collect::<Vec<_>>(),
            ["index.html", "mine.txt", "sitemap.xml"]
        );
        let manifest = fs::read_to_string(folder.path().join(MANIFEST)).unwrap();
        let index = site(1)[0].content_hash();
        assert!(manifest.contains(&index) && !manifest.contains("2026-11-21") && !manifest.contains("lock"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_web_server_may_read_what_is_published() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        Publisher::directory(folder.path())
            .publish(&site(1), PublishMode::default())
            .await
            .unwrap();
        let usual = folder.path().join("usual");
        fs::write(&usual, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&folder.path().join("index.html")), mode(&usual));
    }
}
