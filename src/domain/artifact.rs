//! Something rendered and ready to be put somewhere.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// One file of the report site or of an extract. Renderers return artifacts; they never write files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Path below the root it will be published under, with `/` between its parts and never a leading one.
    pub path: String,
    /// Media type, with the charset where there is one.
    pub media_type: &'static str,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// An artifact from text.
    #[must_use]
    pub fn text(path: impl Into<String>, media_type: &'static str, text: impl Into<String>) -> Self {
        Artifact {
            path: path.into(),
            media_type,
            bytes: text.into().into_bytes(),
        }
    }

    /// What identifies the content: its SHA-256, as `sha256sum` prints it.
    #[must_use]
    pub fn content_hash(&self) -> String {
        sha256_hex([self.bytes.as_slice()])
    }
}

/// SHA-256 of the parts one after the other, in hex.
#[must_use]
pub fn sha256_hex<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// SHA-256 of all that `reader` has, in hex; little of it is in memory at a time.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_hex_of(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Bytes in hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The media type for a file name, by its ending.
#[must_use]
pub fn media_type_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "pdf" => "application/pdf",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "xml" => "application/xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
