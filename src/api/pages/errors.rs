//! Problems as pages, for whoever opened an address in a browser.

use poem::{Endpoint, IntoResponse, Middleware, Request, Response};
use serde_json::Value;

use super::{super::ApiContext, about, show};
use crate::api::{guard::wants_page, problem};

/// Shows problems to browsers as pages; those of the API stay what they are.
pub(in crate::api) struct ErrorPages {
    pub(in crate::api) context: ApiContext,
}

impl<E: Endpoint> Middleware<E> for ErrorPages {
    type Output = ErrorPagesEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        ErrorPagesEndpoint {
            inner,
            context: self.context.clone(),
        }
    }
}

/// See [`ErrorPages`].
pub(in crate::api) struct ErrorPagesEndpoint<E> {
    inner: E,
    context: ApiContext,
}

impl<E: Endpoint> Endpoint for ErrorPagesEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let is_for_people = wants_page(&request) && !request.uri().path().starts_with("/api/");
        let mut response = self.inner.call(request).await?.into_response();
        if !is_for_people || response.content_type() != Some("application/problem+json") {
            return Ok(response);
        }
        let problem: Value = response.take_body().into_json().await?;
        let slug = problem["type"]
            .as_str()
            .and_then(|kind| kind.rsplit('/').next())
            .unwrap_or_default();
        let page = show(&self.context, &about(&problem::kind(slug), problem["detail"].as_str()))?;
        for (name, value) in page.headers() {
            response.headers_mut().insert(name, value.clone());
        }
        response.set_body(page.into_body());
        Ok(response)
    }
}
