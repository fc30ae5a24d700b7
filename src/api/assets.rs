//! Files: what is compiled in under `/static`, and the published site under `/reports`.

use std::path::{Component, Path, PathBuf};

use chrono::NaiveDate;
use poem::{
    IntoResponse, Request, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::Data,
};
use rust_embed::Embed;

use super::{ApiContext, pages, schema::Link};
use crate::domain::artifact::media_type_of;

#[derive(Embed)]
#[folder = "site/static/"]
struct Static;

/// A file that is compiled in.
#[handler]
pub(super) fn statics(request: &Request) -> Response {
    compiled_in(request, request.uri().path().trim_start_matches('/'))
}

/// The icon that browsers ask for where a page names none, as that of the API does.
#[handler]
pub(super) fn icon(request: &Request) -> Response {
    compiled_in(request, "bike.svg")
}

fn compiled_in(request: &Request, path: &str) -> Response {
    let Some(file) = Static::get(path) else {
        return StatusCode::NOT_FOUND.into();
    };
    let tag: String = file.metadata.sha256_hash()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    answer(request, path, file.data.into_owned(), &tag)
}

/// The published site.
#[handler]
pub(super) async fn reports(request: &Request, context: Data<&ApiContext>) -> poem::Result<Response> {
    let path = request.uri().path();
    if !path.ends_with('/') && !last_part(path).contains('.') {
        // Links on the site are relative: without the slash they would point beside it.
        return Ok(moved(&format!("{path}/")));
    }
    let wanted = path.strip_prefix("/reports").unwrap_or(path);
    let wanted = wanted.trim_start_matches('/').to_owned();
    let Some(folder) = &context.site_directory else {
        return Ok(match &context.site_url {
            Some(url) => moved(&format!("{}/{wanted}", url.trim_end_matches('/'))),
            None => pages::nothing_published(&context)?,
        });
    };
    let Some(path) = below(&wanted) else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    let file = if path.as_os_str().is_empty() || wanted.ends_with('/') {
        path.join("index.html")
    } else {
        path
    };
    let found = tokio::fs::read(folder.join(&file)).await;
    match found {
        Ok(bytes) => {
            use sha2::{Digest, Sha256};
            let tag: String = Sha256::digest(&bytes)[..12]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            Ok(answer(request, &file.to_string_lossy(), bytes, &tag))
        }
        Err(_) if file == Path::new("index.html") => pages::nothing_published(&context),
        Err(_) => Ok(StatusCode::NOT_FOUND.into()),
    }
}

/// What is published of a day.
pub(super) fn published(context: &ApiContext, day: NaiveDate) -> Vec<Link> {
    let Some(folder) = &context.site_directory else {
        let url = context.site_url.iter().map(|url| url.trim_end_matches('/'));
        return url
            .map(|url| Link {
                format: "html".to_owned(),
                href: format!("{url}/daily/{day}/index.html"),
            })
            .collect();
    };
    let entries = std::fs::read_dir(folder.join(format!("daily/{day}")))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let link = |name: String| {
        let (_, format) = name.rsplit_once('.')?;
        let is_format = ["html", "pdf", "json", "csv"].contains(&format) && !name.starts_with('.');
        is_format.then(|| Link {
            format: format.to_owned(),
            href: format!("/reports/daily/{day}/{name}"),
        })
    };
    names.into_iter().filter_map(link).collect()
}

/// The path a request means, below a folder. None where it would leave the folder or name a hidden file, or one that the
/// publisher keeps for itself.
fn below(wanted: &str) -> Option<PathBuf> {
    let decoded = percent_decoded(wanted)?;
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with(['.', '_']),
        _ => false,
    };
    let path = PathBuf::from(decoded.trim_end_matches('/'));
    let is_safe = !decoded.contains(['\\', '\0']) && path.components().all(is_plain);
    is_safe.then_some(path)
}

/// `%41` is `A`. None where that is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn moved(to: &str) -> Response {
    Response::builder()
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(header::LOCATION, to)
        .finish()
}

/// A file, or 304 for who has it already.
fn answer(request: &Request, path: &str, bytes: Vec<u8>, tag: &str) -> Response {
    let tag = format!("W/\"{tag}\"");
    let is_known = request
        .header(header::IF_NONE_MATCH)
        .is_some_and(|known| known.contains(tag.trim_start_matches("W/")));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        bytes.with_content_type(media_type_of(path)).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_its_folder() {
        for path in [
            "../x",
            "a/../../x",
            "%2e%2e/x",
            "a/%2e%2e%2fx",
            "/etc/passwd",
            "a\\..\\x",
            ".git/config",
            "%00",
            "%zz",
        ] {
            assert_eq!(below(path), None, "{path}");
        }
        assert_eq!(
            below("2022-07-07/a%20b.html"),
            Some(PathBuf::from("2022-07-07/a b.html"))
        );
        assert_eq!(below(""), Some(PathBuf::new()));
    }
}
