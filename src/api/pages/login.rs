//! Where a browser gives its key, once, and is known by a cookie from then on.

use std::sync::Arc;

use poem::{
    Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Query},
};
use serde::Deserialize;
use serde_json::json;

use super::{super::ApiContext, Page, show};
use crate::{
    api::access::{Gate, NotLetIn, address_of},
    domain::access::Role,
};

/// Where to go on to.
#[derive(Deserialize)]
pub(in crate::api) struct Wanted {
    next: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(in crate::api) struct Given {
    key: String,
    next: Option<String>,
}

/// What the page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Whom the browser is signed in as.
    SignedIn(Role),
    /// The form, with what was wrong with the key that was given.
    Asked(Option<&'static str>),
    /// That there are no keys.
    NotNeeded,
}

/// Asks for a key, or says whose is known.
#[handler]
pub(in crate::api) fn login_page(
    request: &Request,
    context: Data<&ApiContext>,
    gate: Data<&Arc<Gate>>,
    wanted: Query<Wanted>,
) -> poem::Result<Response> {
    let said = match gate.signed_in(request) {
        _ if !gate.needs_keys() => Said::NotNeeded,
        Some(key) => Said::SignedIn(key.role),
        None => Said::Asked(None),
    };
    show(&context, &page(said, place(wanted.0.next)))
}

/// Signs in with the key that was given.
#[handler]
pub(in crate::api) async fn sign_in(
    request: &Request,
    context: Data<&ApiContext>,
    gate: Data<&Arc<Gate>>,
    given: Form<Given>,
) -> poem::Result<Response> {
    let Form(Given { key, next }) = given;
    match gate.key(key.trim(), address_of(request)).await {
        Ok(key) => Ok(Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, place(next))
            .header(
                header::SET_COOKIE,
                gate.sessions().begin(&key.key_id, context.clock.now()),
            )
            .header(header::CACHE_CONTROL, "no-store")
            .finish()),
        Err(why) => {
            let (status, words) = match why {
                NotLetIn::Unknown(words) => (StatusCode::UNAUTHORIZED, words),
                NotLetIn::Guessing => (StatusCode::TOO_MANY_REQUESTS, "too many wrong keys; wait some seconds"),
            };
            let mut response = show(&context, &page(Said::Asked(Some(words)), place(next)))?;
            response.set_status(status);
            Ok(response)
        }
    }
}

/// Forgets who the browser is.
#[handler]
pub(in crate::api) fn sign_out(gate: Data<&Arc<Gate>>) -> Response {
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, "/login")
        .header(header::SET_COOKIE, gate.sessions().end())
        .finish()
}

/// A place on this server, whatever was asked for: a link to `/login` must not lead elsewhere.
fn place(next: Option<String>) -> String {
    let is_here = |next: &String| {
        next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && next.bytes().all(|byte| byte.is_ascii_graphic())
    };
    next.filter(is_here).unwrap_or_else(|| "/".to_owned())
}

pub(super) fn page(said: Said, next: String) -> Page {
    let (said, role, wrong) = match said {
        Said::SignedIn(role) => ("signed_in", Some(role.name()), None),
        Said::Asked(wrong) => ("asked", None, wrong),
        Said::NotNeeded => ("not_needed", None, None),
    };
    Page {
        template: "web/login.html",
        values: json!({ "said": said, "role": role, "wrong": wrong, "next": next }),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn one_goes_on_to_this_server_and_to_no_other() {
        for here in ["/", "/jobs?run=1", "/reports/daily/2026-11-21/index.html"] {
            assert_eq!(place(Some(here.to_owned())), here);
        }
        for elsewhere in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a\r\nb",
            "",
            "jobs",
        ] {
            assert_eq!(place(Some(elsewhere.to_owned())), "/", "{elsewhere}");
        }
    }
}
