//! The extracts that are in a folder already, and whose they are.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use tokio::runtime::Handle;

use super::announcement::Announcement;
use crate::{
    domain::artifact::sha256_hex,
    extract::{
        manifest::{MANIFEST, Manifest},
        place::Place,
    },
    store::Store,
};

/// Whether there are extracts of the store at `place`.
pub(super) fn is_any(store: &Store, place: &Place, runtime: &Handle) -> Result<bool> {
    let manifest = read(place, runtime)?;
    let is_ours = manifest.owner.is_empty() || manifest.owner == owner(store);
    Ok(is_ours && !manifest.files.is_empty())
}

/// Those of the store, to be gone on with: without files that are gone, or are not what was written.
pub(super) fn of_store(store: &Store, place: &Place, runtime: &Handle) -> Result<Manifest> {
    let mut manifest = read(place, runtime)?;
    refuse_others(&manifest, store, place)?;
    manifest.owner = owner(store);
    let sizes = runtime.block_on(place.sizes(manifest.files.keys()))?;
    for (path, file) in &mut manifest.files {
        if sizes.get(path) != Some(&file.size_bytes) {
            file.version.clear();
        }
    }
    Ok(manifest)
}

/// What no extract wrote is not written over.
pub(super) fn refuse_strangers(
    manifest: &Manifest,
    paths: &BTreeSet<String>,
    place: &Place,
    runtime: &Handle,
) -> Result<()> {
    let new: Vec<&String> = paths
        .iter()
        .filter(|path| !manifest.files.contains_key(*path))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let there = runtime.block_on(place.sizes(new.iter().copied()))?;
    if let Some(path) = new.into_iter().find(|path| there.contains_key(*path)) {
        bail!(
            "there is a `{path}` in `{}` that no extract wrote; name an empty place with --to or --extracts",
            place.name()
        );
    }
    Ok(())
}

/// Deletes every file of a folder of extracts; answers how many.
pub(super) fn clear(store: &Store, place: &Place, runtime: &Handle) -> Result<u64> {
    let manifest = read(place, runtime)?;
    if manifest.files.is_empty() {
        return Ok(0);
    }
    refuse_others(&manifest, store, place)?;
    place.begin()?;
    let paths = manifest.files.keys().cloned().collect();
    Announcement::new(place, runtime, &manifest, &paths).make()?;
    for path in &paths {
        runtime.block_on(place.delete(path))?;
    }
    runtime.block_on(place.delete(MANIFEST))?;
    place.end();
    Ok(paths.len() as u64)
}

fn read(place: &Place, runtime: &Handle) -> Result<Manifest> {
    let Some(bytes) = runtime.block_on(place.read(MANIFEST))? else {
        return Ok(Manifest::default());
    };
    let damaged = || {
        format!(
            "`{MANIFEST}` in `{}` is damaged; delete that folder, it is all written again",
            place.name()
        )
    };
    let manifest: Manifest = serde_json::from_slice(&bytes).with_context(damaged)?;
    // What it names is deleted when it is to be there no longer.
    if let Some(path) = manifest.path_elsewhere() {
        bail!("{}: it names `{path}`, which is not in there", damaged());
    }
    Ok(manifest)
}

/// Files of another store would be deleted, and be written anew by that one in turn.
fn refuse_others(manifest: &Manifest, store: &Store, place: &Place) -> Result<()> {
    if !manifest.owner.is_empty() && manifest.owner != owner(store) {
        bail!(
            "the extracts in `{}` are those of another database; name another place with --to or --extracts, or delete these \
             first if nobody writes them any more",
            place.name()
        );
    }
    Ok(())
}

/// What the extracts of a store are told by from those of another one.
fn owner(store: &Store) -> String {
    let key = store.pseudonyms().key_of("owner of extracts");
    sha256_hex([key.as_bytes()])[..16].to_owned()
}
