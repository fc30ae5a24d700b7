//! The site's own files (style sheet, font, icons), compiled in. The published site carries each under a name with the
//! hash of its content, so that it may be cached for ever; the server serves them by their plain names.

use std::{borrow::Cow, fmt::Write, sync::LazyLock};

use rust_embed::Embed;
use sha2::{Digest, Sha256};

#[derive(Embed)]
#[folder = "site/static/"]
struct CompiledIn;

/// One file below `static/`.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its plain name below `static/`, e.g. `site.css`.
    pub name: String,
    /// Its name on the published site, e.g. `site.3f9a0c1d.css`.
    pub hashed_name: String,
    /// Content for the published site: a style sheet names other files by their hashed names.
    pub bytes: Vec<u8>,
}

static ALL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let (sheets, others): (Vec<_>, Vec<_>) = CompiledIn::iter()
        .filter(|name| !name.ends_with('/'))
        .partition(|name| name.ends_with(".css"));
    let mut assets: Vec<Asset> = others
        .iter()
        .filter_map(|name| Some(asset(name, CompiledIn::get(name)?.data.into_owned())))
        .collect();
    for name in sheets {
        let Some(file) = CompiledIn::get(&name) else { continue };
        let mut text = String::from_utf8_lossy(&file.data).into_owned();
        for other in assets.iter().filter(|other| !other.name.ends_with(".css")) {
            text = text.replace(&other.name, &other.hashed_name);
        }
        assets.push(asset(&name, text.into_bytes()));
    }
    assets.sort_by(|a, b| a.name.cmp(&b.name));
    assets
});

/// Every file, in order of its name.
#[must_use]
pub fn all() -> &'static [Asset] {
    &ALL
}

/// The content of the file with the plain name `name`, as written; for the server.
#[must_use]
pub fn plain(name: &str) -> Option<Cow<'static, [u8]>> {
    CompiledIn::get(name).map(|file| file.data)
}

/// The published name of the file called `name`; `name` itself where there is none.
#[must_use]
pub fn hashed_name(name: &str) -> &str {
    all()
        .iter()
        .find(|asset| asset.name == name)
        .map_or(name, |asset| asset.hashed_name.as_str())
}

fn asset(name: &str, bytes: Vec<u8>) -> Asset {
    let mut hash = String::new();
    for byte in &Sha256::digest(&bytes)[..4] {
        write!(hash, "{byte:02x}").expect("writing to a string cannot fail");
    }
    let hashed_name = match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}.{hash}.{ending}"),
        None => format!("{name}.{hash}"),
    };
    Asset {
        name: name.to_owned(),
        hashed_name,
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_style_sheets_name_files_that_are_published() {
        let sheet = all().iter().find(|asset| asset.name == "site.css").unwrap();
        let text = String::from_utf8(sheet.bytes.clone()).unwrap();
        let font = hashed_name("fonts/InterVar-dtn.woff2");
        assert_ne!(font, "fonts/InterVar-dtn.woff2");
        assert!(text.contains(font), "the sheet does not name {font}");
        assert!(!text.contains("http"), "nothing is asked of another host");
    }

    #[test]
    fn a_name_carries_eight_digits_of_the_contents_hash() {
        let one = asset("a/b.css", b"x".to_vec());
        assert_eq!(one.hashed_name, "a/b.2d711642.css");
    }
}
