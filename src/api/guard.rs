//! What every request passes before anything looks at it: its name, its size, and whether it was meant for us.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    error::ReadBodyError,
    http::{HeaderValue, Method, StatusCode, Uri, header},
};
use sha2::{Digest, Sha256};

use super::{
    problem::{Problem, Raised, kind_of},
    shape::{CSV, PARQUET},
};
use crate::clock::Clock;

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// Whether `address` is reached from this machine alone.
#[must_use]
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether the server may listen on `address`: without keys everyone who reaches it is an administrator.
///
/// # Errors
/// Says why not and what to do.
pub fn check_bind(address: SocketAddr, has_keys: bool) -> Result<()> {
    if !has_keys && !is_loopback(address) {
        bail!(
            "refusing to listen on {address}: there are no API keys, so everyone who can reach that address could read \
             riders' personal data; make one with `deloton key new --role admin`, or listen on 127.0.0.1:{} and put a \
             proxy that authenticates in front",
            address.port()
        );
    }
    Ok(())
}

/// Whether a page is wanted rather than data: browsers name HTML, programs do not.
pub(super) fn wants_page(request: &Request) -> bool {
    request
        .header(header::ACCEPT)
        .is_some_and(|accepted| accepted.contains("text/html"))
}

/// Refuses a request that does not name this machine, as one does that another site's page sends under a name of its own.
///
/// # Errors
/// It names another.
pub fn check_loopback_host(request: &Request) -> poem::Result<()> {
    Hosts::new(None, true, Arc::default()).check(request)
}

/// The host names this server answers to.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    public: Option<String>,
    /// The origin of the pages at the public address.
    public_origin: Option<String>,
    is_local: bool,
    /// Origins of other sites' pages that may call.
    guests: Arc<[String]>,
}

impl Hosts {
    /// The loopback names, and the host of the public address; where other machines reach this one, any address in
    /// figures, too: no name can be made to lead there behind a browser's back.
    #[must_use]
    pub(super) fn new(public_url: Option<&str>, is_local: bool, guests: Arc<[String]>) -> Self {
        let host = |url: &str| {
            url.parse::<Uri>()
                .ok()
                .and_then(|uri| uri.host().map(str::to_ascii_lowercase))
        };
        Hosts {
            public: public_url.and_then(host),
            public_origin: public_url.and_then(origin_of),
            is_local,
            guests,
        }
    }

    /// Refuses a request for another host: a page of someone else's that rebinds its name to 127.0.0.1 would
    /// otherwise read everything through the visitor's browser.
    pub(super) fn check(&self, request: &Request) -> poem::Result<()> {
        let named = named_by(request);
        if self.is_ours(without_port(&named)) {
            return Ok(());
        }
        let kind = kind_of(StatusCode::MISDIRECTED_REQUEST);
        Err(Raised(Problem::new(
            kind,
            "the `Host` header names another server than this one",
        ))
        .into())
    }
}

impl Hosts {
    /// Refuses a request that changes something and that a page of another site sent: the visitor's browser may reach this
    /// server where that site cannot. What a mail's own link allows is allowed from anywhere: whoever has the link could
    /// send it without a browser, and mail programs show pages in frames that have no origin.
    pub(super) fn check_origin(&self, request: &Request) -> poem::Result<()> {
        let path = request.uri().path();
        if ["/unsubscribe/", "/resubscribe/"]
            .iter()
            .any(|of_mail| path.starts_with(of_mail))
        {
            return Ok(());
        }
        let Some(origin) = request.header(header::ORIGIN).filter(|_| !request.method().is_safe()) else {
            return Ok(());
        };
        let from = origin.parse::<Uri>().ok();
        let from = from
            .as_ref()
            .and_then(|uri| Some(uri.authority()?.as_str().to_ascii_lowercase()));
        let is_guest = self.guests.iter().any(|guest| guest == origin);
        let is_public = self.public_origin.as_deref() == Some(&*origin.to_ascii_lowercase());
        // By its port too: another program of this machine has pages of its own.
        if is_guest || is_public || from.is_some_and(|from| from == named_by(request)) {
            return Ok(());
        }
        let kind = kind_of(StatusCode::FORBIDDEN);
        Err(Raised(Problem::new(
            kind,
            "a page of another site may not change anything here",
        ))
        .into())
    }

    fn is_ours(&self, host: &str) -> bool {
        let in_figures = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok();
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
            || self.public.as_deref() == Some(host)
            || in_figures && !self.is_local
    }
}

/// The host, with its port, that a request names.
fn named_by(request: &Request) -> String {
    let named = match request.headers().get(header::HOST) {
        Some(host) => host.to_str().unwrap_or_default().to_owned(),
        None => request.uri().authority().map(ToString::to_string).unwrap_or_default(),
    };
    named.to_ascii_lowercase()
}

/// The origin of the pages at an address.
fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    Some(origin.to_ascii_lowercase())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Reads a request's body before anybody works on it, so that whoever sends it slowly, or without end, holds nothing else.
pub(super) struct Bodies;

impl<E: Endpoint> Middleware<E> for Bodies {
    type Output = BodiesEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        BodiesEndpoint { inner }
    }
}

/// See [`Bodies`].
pub(super) struct BodiesEndpoint<E> {
    inner: E,
}

impl<E: Endpoint> Endpoint for BodiesEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let refuse = |status, detail: String| Err(Raised(Problem::new(kind_of(status), detail)).into());
        let said = request.header(header::CONTENT_LENGTH);
        let too_large = || {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            refuse(
                status,
                format!("the body is too large; at most {BODY_BYTES_MAX} bytes are taken"),
            )
        };
        if said.is_some_and(|length| length.parse().is_ok_and(|length: usize| length > BODY_BYTES_MAX)) {
            return too_large();
        }
        let reading = request.take_body().into_bytes_limit(BODY_BYTES_MAX);
        match tokio::time::timeout(BODY_WITHIN, reading).await {
            Ok(Ok(body)) => request.set_body(body),
            Ok(Err(ReadBodyError::PayloadTooLarge)) => return too_large(),
            Ok(Err(error)) => return refuse(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")),
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", BODY_WITHIN.as_secs());
                return refuse(StatusCode::REQUEST_TIMEOUT, detail);
            }
        }
        Ok(self.inner.call(request).await?.into_response())
    }
}

/// Gives every request an id, the caller's own where it is sane, and says it in the answer and in the log.
pub(super) struct RequestIds {
    /// Stamps the ids.
    pub(super) clock: Clock,
}

impl<E: Endpoint> Middleware<E> for RequestIds {
    type Output = RequestIdsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        RequestIdsEndpoint {
            inner,
            clock: self.clock,
            next: AtomicU64::new(0),
        }
    }
}

/// See [`RequestIds`].
pub(super) struct RequestIdsEndpoint<E> {
    inner: E,
    clock: Clock,
    next: AtomicU64,
}

impl<E: Endpoint> Endpoint for RequestIdsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        use tracing::Instrument;
        let given = request
            .header("x-request-id")
            .filter(|id| is_sane(id))
            .map(str::to_owned);
        let id = given.unwrap_or_else(|| self.fresh());
        let span = tracing::info_span!("request", request.id = %id, request.method = %request.method());
        let mut response = self.inner.call(request).instrument(span).await?.into_response();
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-request-id", value);
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            // Not `no-referrer`: browsers would then hide the origin of our own pages' forms from us, too.
            ("referrer-policy", "same-origin"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

impl<E> RequestIdsEndpoint<E> {
    fn fresh(&self) -> String {
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        let mut rest = [0_u8; 10];
        rest[2..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &rest)
            .into_uuid()
            .to_string()
    }
}

fn is_sane(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Tags answers that are data with what they say, and answers 304 to those who have it already.
pub(super) struct Etags;

impl<E: Endpoint> Middleware<E> for Etags {
    type Output = EtagsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EtagsEndpoint { inner }
    }
}

/// See [`Etags`].
pub(super) struct EtagsEndpoint<E> {
    inner: E,
}

impl<E: Endpoint> Endpoint for EtagsEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let is_read = request.method().is_safe();
        // Answered as GET, and without the body in the end: the tag is of what that would have.
        let has_body = request.method() != Method::HEAD;
        if !has_body {
            request.set_method(Method::GET);
        }
        let known = request.header(header::IF_NONE_MATCH).map(str::to_owned);
        let mut response = self.inner.call(request).await?.into_response();
        let is_data = response.content_type().is_some_and(|media_type| {
            ["application/json", CSV, PARQUET]
                .iter()
                .any(|data| media_type.starts_with(data))
        });
        if !(is_read && is_data && response.status() == StatusCode::OK) {
            if !has_body {
                drop(response.take_body());
            }
            return Ok(response);
        }
        let body = response.take_body().into_vec().await?;
        // Weak, because the same answer may leave compressed or not.
        let digest = Sha256::digest(&body);
        let tag = format!(
            "W/\"{}\"",
            digest[..12]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        );
        let opaque = tag.trim_start_matches("W/");
        let is_known = known.is_some_and(|known| {
            known
                .split(',')
                .map(str::trim)
                .any(|found| found == "*" || found.trim_start_matches("W/") == opaque)
        });
        if is_known {
            response.set_status(StatusCode::NOT_MODIFIED);
            response.headers_mut().remove(header::CONTENT_TYPE);
        } else if has_body {
            response.set_body(body);
        }
        if let Ok(value) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, value);
        }
        // Shown again only after asking whether it is still so: the data moves every second.
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_only_loopback_is_listened_on() {
        let everywhere = "0.0.0.0:8080".parse().unwrap();
        assert!(check_bind("127.0.0.1:8080".parse().unwrap(), false).is_ok());
        assert!(check_bind("[::1]:8080".parse().unwrap(), false).is_ok());
        assert!(check_bind(everywhere, true).is_ok());
        let refusal = check_bind(everywhere, false).unwrap_err().to_string();
        for words in ["no API keys", "deloton key new --role admin", "127.0.0.1:8080"] {
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn a_host_may_have_a_port_and_brackets() {
        assert_eq!(without_port("localhost:8080"), "localhost");
        assert_eq!(without_port("[::1]:8080"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(without_port("127.0.0.1"), "127.0.0.1");
    }

    #[test]
    fn request_ids_of_others_are_taken_only_when_they_cannot_break_a_log() {
        assert!(is_sane("abc-123_x.y"));
        assert!(!is_sane("a\nb"));
        assert!(!is_sane(""));
        assert!(!is_sane(&"a".repeat(65)));
    }
}
