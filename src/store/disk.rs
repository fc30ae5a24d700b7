//! Room on the disk, and files that are copied, linked and hashed.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Doing, Result, StoreError};
use crate::domain::artifact::hex;

/// Bytes that may still be written below `folder`, which exists.
pub(super) fn free_bytes(folder: &Path) -> Result<u64> {
    let space = rustix::fs::statvfs(folder)
        .map_err(io::Error::from)
        .doing(|| format!("cannot read how much room `{}` has", folder.display()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Refuses to begin what cannot be finished: `what` will write `needed` bytes below `folder`.
pub(super) fn require_room(what: &str, needed: u64, folder: &Path, way_out: &str) -> Result<()> {
    let free = free_bytes(folder)?;
    if needed <= free {
        return Ok(());
    }
    Err(StoreError::Inconsistent(format!(
        "{what} needs {}, and `{}` has {} left; {way_out}",
        size(needed),
        folder.display(),
        size(free)
    )))
}

/// A number of bytes for people: `812 B`, `4.2 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// A file's size; none for one that is not there.
pub(super) fn file_size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Every file below `folder`, as paths relative to `root`, sorted; none where there is no such folder. Hidden ones are
/// left out: they are files that are being written.
pub(super) fn files_below(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a file, on disk when this returns; answers its hash.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<String> {
    let mut from = File::open(from)?;
    let mut to = File::create(to)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
        }
    }
    to.sync_all()?;
    Ok(hex(&hasher.finalize()))
}

/// Makes a second name for a file that is never written again, or a copy where that cannot be; answers its hash.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> io::Result<String> {
    match fs::hard_link(from, to) {
        Ok(()) => super::lake::hash_file(to),
        Err(_) => copy(from, to),
    }
}

/// Makes what happened in a folder last.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether links can be made from one folder into the other. Both exist.
pub(super) fn same_disk(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let disk = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    disk(one).is_some() && disk(one) == disk(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_two_digits_and_never_say_a_thousand() {
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950, 5_432_100_000, 7_000_000_000_000_000].map(size),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "5.4 GB", "7000.0 TB"]
        );
    }

    #[test]
    fn what_does_not_fit_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        require_room("a backup", 1, folder.path(), "make room").unwrap();
        let error = require_room("a backup", u64::MAX, folder.path(), "make room").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("a backup needs ") && text.ends_with("left; make room"),
            "{text}"
        );
    }
}
