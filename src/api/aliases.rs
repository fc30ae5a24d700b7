//! The paths that the older systems documented, and where each is answered now. They are rewritten, not redirected,
//! so that old clients see an answer and not a 308.

use poem::{Request, http::Uri};

/// Older path, present path. `{}` stands for one segment and moves along.
const ALIASES: [(&str, &str); 11] = [
    ("/ride/{}", "/api/v1/rides/{}"),
    ("/rides", "/api/v1/rides"),
    ("/rides/{}", "/api/v1/rides/{}"),
    ("/rider/{}", "/api/v1/riders/{}"),
    ("/rider/{}/rides", "/api/v1/riders/{}/rides"),
    ("/rider/{}/duration", "/api/v1/riders/{}/durations"),
    ("/user/{}", "/api/v1/riders/{}"),
    ("/user/{}/rides", "/api/v1/riders/{}/rides"),
    ("/daily", "/api/v1/daily"),
    ("/leaderboard", "/api/v1/leaderboard"),
    ("/city/{}", "/api/v1/cities/{}/rides"),
];

/// The present path of an older one; none where there is nothing to rewrite.
#[must_use]
pub(super) fn present_path(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    ALIASES
        .iter()
        .find_map(|(older, present)| match older.split_once("{}") {
            None => (path == *older).then(|| (*present).to_owned()),
            Some((before, after)) => {
                let segment = path.strip_prefix(before)?.strip_suffix(after)?;
                (!segment.is_empty() && !segment.contains('/')).then(|| present.replace("{}", segment))
            }
        })
}

/// Rewrites a request to the present path: an alias, or an API path with a slash too many.
pub(super) fn rewrite(mut request: Request) -> Request {
    let path = request.uri().path();
    let without_slash = path
        .starts_with("/api/")
        .then(|| path.strip_suffix('/'))
        .flatten()
        .map(str::to_owned);
    let Some(path) = present_path(path).or(without_slash) else {
        return request;
    };
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(path_and_query) = target.parse() {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::present_path;

    #[test]
    fn older_paths_have_a_present_one_with_or_without_a_slash() {
        assert_eq!(present_path("/ride/7").as_deref(), Some("/api/v1/rides/7"));
        assert_eq!(
            present_path("/rider/7/duration/").as_deref(),
            Some("/api/v1/riders/7/durations")
        );
        assert_eq!(
            present_path("/city/New%20York/").as_deref(),
            Some("/api/v1/cities/New%20York/rides")
        );
        assert_eq!(present_path("/ride/"), None);
        assert_eq!(present_path("/ride/7/8"), None);
        assert_eq!(present_path("/live"), None);
    }
}
