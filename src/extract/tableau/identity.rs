//! Numbers that are the same at every writing: a workbook of the same rows is the same file.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The identity of what `path` names.
pub(super) fn of(path: &[&str]) -> Uuid {
    let digest = Sha256::digest(path.join("\u{1f}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The same in braces, as the document has it.
pub(super) fn braced(path: &[&str]) -> String {
    of(path).braced().to_string().to_uppercase()
}
