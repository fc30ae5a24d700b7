//! The addresses that the older systems documented, and where each is answered now. They are rewritten, not redirected,
//! so that old clients see an answer and not a 308.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use poem::{Request, http::Uri};

/// Older address, present address; the first that fits holds. `{}` stands for one segment, or the value of a query parameter,
/// and moves along; `{gender}` only for a gender, `{ids}` only for several ids. A parameter of the older address has to be
/// there and is used up; the others move along as they are.
const ALIASES: [(&str, &str); 28] = [
    ("/ride/{}?summary=true", "/api/v1/rides/{}/summary"),
    ("/ride/{}?expanded=true", "/api/v1/rides/{}/expanded"),
    ("/ride/{}?summary=false", "/api/v1/rides/{}"),
    ("/ride/{}?expanded=false", "/api/v1/rides/{}"),
    ("/ride/{}", "/api/v1/rides/{}"),
    ("/rides/{gender}", "/api/v1/rides?gender={}"),
    ("/rides/{ids}", "/api/v1/rides?ride_id={}"),
    ("/rides/{}?summary=true", "/api/v1/rides/{}/summary"),
    ("/rides/{}?expanded=true", "/api/v1/rides/{}/expanded"),
    ("/rides/{}", "/api/v1/rides/{}"),
    ("/rides", "/api/v1/rides"),
    ("/all", "/api/v1/rides"),
    ("/rider?location={}", "/api/v1/riders?city={}"),
    ("/rider", "/api/v1/riders"),
    ("/riders2", "/api/v1/riders"),
    ("/rider/{}/rides?summary=true", "/api/v1/riders/{}/rides"),
    ("/rider/{}/rides?expanded=true", "/api/v1/riders/{}/rides/expanded"),
    ("/rider/{}/rides?expanded=false", "/api/v1/riders/{}/rides"),
    ("/rider/{}/rides", "/api/v1/riders/{}/rides"),
    ("/rider/{}/duration", "/api/v1/riders/{}/durations"),
    ("/rider/{}", "/api/v1/riders/{}"),
    ("/user/{}", "/api/v1/riders/{}"),
    ("/user/{}/rides", "/api/v1/riders/{}/rides"),
    ("/daily", "/api/v1/daily"),
    ("/leaderboard", "/api/v1/leaderboard"),
    ("/city?city={}", "/api/v1/cities/{}/rides"),
    ("/city/{}", "/api/v1/cities/{}/rides"),
    ("/city", "/api/v1/cities"),
];

/// The present address of an older one, path and query; none where there is nothing to rewrite.
#[must_use]
pub(super) fn present(path: &str, query: Option<&str>) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let given: Vec<&str> = query.into_iter().flat_map(|query| query.split('&')).collect();
    ALIASES.iter().find_map(|(older, present)| {
        let (older, wanted) = older
            .split_once('?')
            .map_or((*older, None), |(path, pair)| (path, Some(pair)));
        let mut moved = segment(older, path)?;
        let mut rest = given.clone();
        if let Some((name, value)) = wanted.and_then(|wanted| wanted.split_once('=')) {
            let at = rest.iter().position(|pair| {
                let (given, found) = pair.split_once('=').unwrap_or((pair, ""));
                given == name && (value == "{}" && !found.is_empty() || found.eq_ignore_ascii_case(value))
            })?;
            let pair = rest.remove(at);
            if value == "{}" {
                moved = pair.split_once('=').map(|(_, found)| respelt(found));
            }
        }
        // The older addresses took both of these wherever they took one.
        if present.contains("/rides") {
            rest.retain(|pair| !pair.starts_with("summary=") && !pair.starts_with("expanded="));
        }
        let mut target = moved.map_or_else(|| (*present).to_owned(), |moved| present.replace("{}", &moved));
        for pair in rest.into_iter().filter(|pair| !pair.is_empty()) {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(pair);
        }
        Some(target)
    })
}

/// What a path has at the place of the braces, if it fits at all.
fn segment(older: &str, path: &str) -> Option<Option<String>> {
    let Some((before, rest)) = older.split_once('{') else {
        return (path == older).then_some(None);
    };
    let (kind, after) = rest.split_once('}')?;
    let found = path.strip_prefix(before)?.strip_suffix(after)?;
    let decoded = percent_decode_str(found).decode_utf8_lossy();
    let fits = !found.is_empty()
        && !found.contains('/')
        && match kind {
            "gender" => ["female", "male", "other", "unknown"].contains(&decoded.to_lowercase().as_str()),
            "ids" => decoded.contains(','),
            _ => true,
        };
    let found = if kind == "gender" {
        decoded.to_lowercase()
    } else {
        found.to_owned()
    };
    fits.then_some(Some(found))
}

/// A query parameter's value as a path spells it: there a plus is a plus.
fn respelt(value: &str) -> String {
    let spaced = value.replace('+', " ");
    let plain: Cow<'_, str> = percent_decode_str(&spaced).decode_utf8_lossy();
    utf8_percent_encode(&plain, NON_ALPHANUMERIC).to_string()
}

/// Rewrites a request to the present address: an alias, or an API path with a slash too many.
pub(super) fn rewrite(mut request: Request) -> Request {
    let uri = request.uri();
    let without_slash = || {
        let path = uri.path().strip_suffix('/').filter(|path| path.starts_with("/api/"))?;
        Some(
            uri.query()
                .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
        )
    };
    let Some(target) = present(uri.path(), uri.query()).or_else(without_slash) else {
        return request;
    };
    if let Ok(path_and_query) = target.parse() {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    fn present(older: &str) -> Option<String> {
        let (path, query) = older
            .split_once('?')
            .map_or((older, None), |(path, query)| (path, Some(query)));
        super::present(path, query)
    }

    #[test]
    fn older_addresses_have_a_present_one_with_or_without_a_slash() {
        for (older, expected) in [
            ("/ride/7", "/api/v1/rides/7"),
            ("/ride/7/?summary=true", "/api/v1/rides/7/summary"),
            ("/ride/7?expanded=True", "/api/v1/rides/7/expanded"),
            ("/ride/7?expanded=false", "/api/v1/rides/7"),
            ("/ride/7?expanded=false&summary=true", "/api/v1/rides/7/summary"),
            (
                "/ride/7?expanded=true&summary=false&fields=ride_id",
                "/api/v1/rides/7/expanded?fields=ride_id",
            ),
            ("/rides/1,2,3", "/api/v1/rides?ride_id=1,2,3"),
            ("/rides/Male?limit=3", "/api/v1/rides?gender=male&limit=3"),
            ("/all", "/api/v1/rides"),
            ("/rider?location=London,Leeds", "/api/v1/riders?city=London%2CLeeds"),
            ("/riders2?age=20-30", "/api/v1/riders?age=20-30"),
            ("/rider/7/duration/", "/api/v1/riders/7/durations"),
            ("/rider/7/rides?summary=true&limit=2", "/api/v1/riders/7/rides?limit=2"),
            ("/city/New%20York/", "/api/v1/cities/New%20York/rides"),
            ("/city/?city=New+York", "/api/v1/cities/New%20York/rides"),
            ("/city/", "/api/v1/cities"),
            ("/daily?date=01-01-2020", "/api/v1/daily?date=01-01-2020"),
        ] {
            assert_eq!(present(older).as_deref(), Some(expected), "{older}");
        }
        for other in ["/ride/", "/ride/7/8", "/live", "/ride/del/7"] {
            assert_eq!(present(other), None, "{other}");
        }
    }
}
