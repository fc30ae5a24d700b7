//! The editions of a site: which there are, and going back to one.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    NewEdition, PublishError, PublishStatus, Result,
    engine::{self, From, KEPT_EDITIONS, PARALLEL, Target, Wanted, WantedSite},
    manifest::{Edition, Manifest, kept, record_of},
};

/// What there is of a site.
#[derive(Debug, Clone)]
pub struct Editions {
    /// The editions that can be gone back to, newest first.
    pub newest_first: Vec<Edition>,
    /// Whether one more was begun and not finished: what is on the site is partly that.
    pub is_unfinished: bool,
    /// Every path where something is.
    pub paths: BTreeSet<String>,
}

pub(super) async fn list<T: Target>(target: &T) -> Result<Editions> {
    let (manifest, _) = target.read_manifest().await?;
    Ok(Editions {
        newest_first: records(target, manifest.oldest.max(1)..=manifest.edition).await?,
        is_unfinished: !manifest.unfinished.is_empty(),
        paths: manifest.paths().into_iter().cloned().collect(),
    })
}

/// Makes the site what it was in the edition `number`, as a new edition.
pub(super) async fn roll_back<T: Target>(target: &T, number: u64, new: &NewEdition<'_>) -> Result<PublishStatus> {
    let (manifest, version) = engine::read_unlocked(target).await?;
    if number < manifest.oldest.max(1) || number > manifest.edition {
        return Err(PublishError::NoEdition {
            target: target.name(),
            edition: number,
        });
    }
    let mut files = manifest.files.clone();
    let later = records(target, number + 1..=manifest.edition).await?;
    if let Some(missing) = (number + 1..=manifest.edition).find(|n| later.iter().all(|edition| edition.number != *n)) {
        return Err(PublishError::NotKept {
            target: target.name(),
            edition: number,
            path: record_of(missing),
        });
    }
    later.iter().for_each(|edition| edition.undo(&mut files));
    let wanted: WantedSite<'_> = files
        .into_iter()
        .map(|(path, hash)| (path, Wanted { hash, from: From::Kept }))
        .collect();
    check_kept(target, number, &manifest, &wanted).await?;
    engine::replace(target, (manifest, version), &wanted, new, Some(number)).await
}

/// All that has to be put back must be there before anything is changed.
async fn check_kept<T: Target>(target: &T, edition: u64, manifest: &Manifest, wanted: &WantedSite<'_>) -> Result<()> {
    let to_put_back = wanted
        .iter()
        .filter(|(path, want)| manifest.current(path) != Some(&want.hash));
    // An edition that was begun keeps a file before it touches it: what it did not keep is where it was.
    let is_untouched = |path: &str, hash: &String| manifest.files.get(path) == Some(hash);
    stream::iter(to_put_back)
        .map(Ok)
        .try_for_each_concurrent(PARALLEL, async |(path, want)| {
            if is_untouched(path, &want.hash) || target.is_kept(&want.hash).await? {
                return Ok(());
            }
            Err(PublishError::NotKept {
                target: target.name(),
                edition,
                path: path.clone(),
            })
        })
        .await
}

/// Deletes the records of editions that are too old to be gone back to after `newest`, and what only they kept. Answers
/// the oldest that is left.
pub(super) async fn forget_old<T: Target>(target: &T, oldest: u64, newest: &Edition) -> Result<u64> {
    let first_kept = (newest.number + 1).saturating_sub(KEPT_EDITIONS).max(1);
    let oldest = oldest.max(1);
    if first_kept <= oldest {
        return Ok(oldest);
    }
    let mut kept_ones = records(target, first_kept..=newest.number - 1).await?;
    kept_ones.push(newest.clone());
    let needed: BTreeSet<_> = kept_ones.iter().flat_map(Edition::replaced).collect();
    for edition in records(target, oldest..=first_kept - 1).await? {
        delete_kept(
            target,
            edition.replaced().filter(|hash| !needed.contains(hash)).collect(),
        )
        .await?;
        target.delete(&record_of(edition.number)).await?;
    }
    Ok(first_kept)
}

/// Deletes what every edition but the newest kept, and their records. Answers how many editions were forgotten.
pub(super) async fn forget_all<T: Target>(target: &T) -> Result<u64> {
    let (manifest, version) = engine::read_unlocked(target).await?;
    let oldest = manifest.oldest.max(1);
    if oldest >= manifest.edition {
        return Ok(0);
    }
    let work = async {
        // The newest one kept what it replaced.
        for edition in records(target, oldest..=manifest.edition).await? {
            delete_kept(target, edition.replaced().collect()).await?;
            if edition.number < manifest.edition {
                target.delete(&record_of(edition.number)).await?;
            }
        }
        Ok(Manifest {
            oldest: manifest.edition,
            ..manifest.clone()
        })
    };
    engine::under_lock(target, &manifest, version, work).await?;
    Ok(manifest.edition - oldest)
}

async fn delete_kept<T: Target>(target: &T, hashes: BTreeSet<&String>) -> Result<()> {
    stream::iter(hashes)
        .map(Ok)
        .try_for_each_concurrent(PARALLEL, async |hash| target.delete(&kept(hash)).await)
        .await
}

/// The records of `numbers` that are there, newest first.
async fn records<T: Target>(target: &T, numbers: impl DoubleEndedIterator<Item = u64>) -> Result<Vec<Edition>> {
    let read = async |number| {
        let path = record_of(number);
        let Some(bytes) = target.read(&path).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| PublishError::BadManifest {
                target: target.name(),
                path,
                source,
            })
    };
    let found: Vec<Option<Edition>> = stream::iter(numbers.rev())
        .map(read)
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}
