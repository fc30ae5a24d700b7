//! The order of events in a publish call, the same for every target: read the manifest, plan, take the lock, write
//! rank by rank, let the lock go.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Item, PublishError, PublishStatus, Result, rank};
use crate::domain::artifact::Artifact;

/// How many items are on their way, and in memory, at once.
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
}

/// What is to be done, in order.
struct Plan<'a> {
    /// One list a rank, lowest first.
    write: Vec<Vec<&'a Item>>,
    unchanged: usize,
}

impl Plan<'_> {
    fn new<'a>(manifest: &Manifest, items: &'a [Item]) -> Result<Plan<'a>> {
        let mut by_rank: BTreeMap<u8, Vec<&Item>> = BTreeMap::new();
        let mut unchanged = 0;
        for item in items {
            if manifest.files.get(item.path()) == Some(&Some(item.content_hash()?)) {
                unchanged += 1;
            } else {
                by_rank.entry(rank(item.path())).or_default().push(item);
            }
        }
        Ok(Plan {
            write: by_rank.into_values().collect(),
            unchanged,
        })
    }

    fn status(&self) -> PublishStatus {
        PublishStatus {
            written: self.write.iter().flatten().map(|item| item.path().to_owned()).collect(),
            unchanged: self.unchanged,
        }
    }
}

/// What [`publish`] would do.
pub(super) async fn dry_run<T: Target>(target: &T, items: &[Item]) -> Result<PublishStatus> {
    let (manifest, _) = target.read_manifest().await?;
    Ok(Plan::new(&manifest, items)?.status())
}

/// Publishes `items` to `target`. See the module's description for the promises.
pub(super) async fn publish<T: Target>(target: &T, items: &[Item]) -> Result<PublishStatus> {
    let (manifest, version) = read_unlocked(target).await?;
    let plan = Plan::new(&manifest, items)?;
    if plan.write.is_empty() && manifest.lock.is_none() {
        return Ok(plan.status());
    }

    let mut locked = manifest;
    locked.lock = Some(Lock {
        holder: Uuid::from_bytes(rand::random()),
        beat: 0,
    });
    for item in plan.write.iter().flatten() {
        locked.files.insert(item.path().to_owned(), None);
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
async fn read_unlocked<T: Target>(target: &T) -> Result<(Manifest, Version)> {
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

/// Carries out the plan; `done` says at any moment how far it got.
async fn execute<T: Target>(target: &T, plan: &Plan<'_>, done: &Mutex<Manifest>) -> Result<()> {
    for rank in &plan.write {
        stream::iter(rank)
            .map(Ok)
            .try_for_each_concurrent(PARALLEL_PUTS, async |item| {
                let artifact = item.artifact()?;
                target.put(&artifact).await?;
                // The hash of what was written: a file may have changed since the plan was made.
                let hash = artifact.content_hash();
                let mut reached = done.lock().unwrap_or_else(PoisonError::into_inner);
                reached.files.insert(artifact.path.clone(), Some(hash));
                Ok(())
            })
            .await?;
    }
    Ok(())
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
    use crate::publish::{DirectoryPublisher, Publisher};

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
    }

    fn site(version: u32) -> Vec<Item> {
        let paths = [
            "index.html",
            "sitemap.xml",
            "2026-11-21/index.html",
            "2026-11-21/rides.csv",
            "2026-11-21/a.pdf",
        ];
        paths
            .map(|path| Artifact::text(path, "text/plain", format!("{path} {version}")).into())
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
        let text = |item: &Item| String::from_utf8(item.artifact().unwrap().bytes.clone()).unwrap();
        site(version)
            .iter()
            .map(|item| (item.path().to_owned(), text(item)))
            .collect()
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
            let result = publish(&killed, &site(1)).await;
            assert_eq!(result.is_ok(), writes == 7, "two manifests and five files");
            let found = pages(&root);
            let has = |path: &str| found.contains_key(path);
            assert!(!has("index.html") || has("sitemap.xml"));
            assert!(!has("sitemap.xml") || has("2026-11-21/index.html"));
            assert!(!has("2026-11-21/index.html") || (has("2026-11-21/rides.csv") && has("2026-11-21/a.pdf")));

            let again = Publisher::directory(&root);
            again.publish(&site(1)).await.unwrap();
            assert_eq!(pages(&root), expected(1), "after {writes} writes");
        }
    }

    #[tokio::test]
    async fn content_that_goes_back_after_a_crash_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::directory(folder.path());
        publisher.publish(&site(1)).await.unwrap();
        let killed = Killed {
            folder: DirectoryPublisher::new(folder.path().to_owned()),
            writes_left: 4.into(),
        };
        publish(&killed, &site(2)).await.unwrap_err();
        assert_ne!(pages(folder.path()), expected(1));
        publisher.publish(&site(1)).await.unwrap();
        assert_eq!(pages(folder.path()), expected(1));
    }

    #[tokio::test]
    async fn a_folder_is_published_by_one_at_a_time_and_untouched_when_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::directory(folder.path());
        publisher.publish(&site(1)).await.unwrap();
        let stamps = || {
            let stamp = |path: &String| fs::metadata(folder.path().join(path)).unwrap().modified().unwrap();
            files(folder.path())
                .keys()
                .filter(|path| *path != "_lock")
                .map(|path| (path.clone(), stamp(path)))
                .collect::<Vec<_>>()
        };
        let before = stamps();
        let status = publisher.publish(&site(1)).await.unwrap();
        assert_eq!((status.written.len(), status.unchanged), (0, 5));
        assert_eq!(stamps(), before);

        let held = fs::File::open(folder.path().join("_lock")).unwrap();
        held.lock().unwrap();
        let error = publisher.publish(&site(2)).await.unwrap_err();
        assert!(matches!(error, PublishError::Busy { .. }), "{error}");
        assert_eq!(pages(folder.path()), expected(1));
    }

    #[tokio::test]
    async fn a_file_is_published_when_its_content_changes_and_what_is_not_mentioned_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path().join("site"), folder.path().join("rides.csv"));
        let item = Item::File {
            path: "2026-11-21/rides.csv".to_owned(),
            file: file.clone(),
        };
        let publisher = Publisher::directory(&root);
        publisher.publish(&site(1)).await.unwrap();
        for text in ["one", "two"] {
            fs::write(&file, text).unwrap();
            let planned = publisher.plan(std::slice::from_ref(&item)).await.unwrap();
            assert_eq!(planned.written, ["2026-11-21/rides.csv"]);
            assert_eq!(publisher.publish(std::slice::from_ref(&item)).await.unwrap(), planned);
            assert_eq!(pages(&root)["2026-11-21/rides.csv"], text);
            let again = publisher.publish(std::slice::from_ref(&item)).await.unwrap();
            assert_eq!((again.written.len(), again.unchanged), (0, 1));
        }
        assert_eq!(pages(&root).len(), 5);

        fs::remove_file(&file).unwrap();
        let error = publisher.publish(&[item]).await.unwrap_err().to_string();
        assert!(
            error.contains("rides.csv") && error.contains("cannot be read"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_web_server_may_read_what_is_published() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        Publisher::directory(folder.path()).publish(&site(1)).await.unwrap();
        let usual = folder.path().join("usual");
        fs::write(&usual, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&folder.path().join("index.html")), mode(&usual));
    }
}
