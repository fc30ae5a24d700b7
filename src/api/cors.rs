//! Pages of other sites that may read the API from their visitors' browsers (`--cors-origin`). They come with a key of
//! their own: cookies are neither sent nor taken.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use super::problem::answered;

/// What a page may send.
const SENT: HeaderValue = HeaderValue::from_static("authorization, content-type, if-none-match, x-request-id");
/// What a page may see of an answer besides its body.
const SHOWN: HeaderValue =
    HeaderValue::from_static("etag, location, link, ratelimit, ratelimit-policy, retry-after, x-request-id");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");

/// Answers the questions of browsers for those pages.
pub(super) struct Cors {
    /// Their origins.
    pub(super) origins: Arc<[String]>,
}

impl<E: Endpoint> Middleware<E> for Cors {
    type Output = CorsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CorsEndpoint {
            inner,
            origins: Arc::clone(&self.origins),
        }
    }
}

/// See [`Cors`].
pub(super) struct CorsEndpoint<E> {
    inner: E,
    origins: Arc<[String]>,
}

impl<E: Endpoint> Endpoint for CorsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let origin = request.headers().get(header::ORIGIN);
        let Some(origin) = origin
            .filter(|origin| self.origins.iter().any(|known| known.as_str() == *origin))
            .cloned()
        else {
            return Ok(self.inner.call(request).await?.into_response());
        };
        let asks_first = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if asks_first {
            let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
            response
        } else {
            let path = request.uri().path().to_owned();
            answered(self.inner.call(request).await, &path)
        };
        allow(response.headers_mut(), origin);
        Ok(response)
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
