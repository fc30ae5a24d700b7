//! Errors as RFC 9457 problems, whoever raised them: a handler, a parameter, the router, or a panic.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, error::ResponseError, http::StatusCode};
use poem_openapi::{ApiResponse, Object, payload::Json};

/// A kind of problem: the page `/problems/{slug}` says what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The last part of `type`.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A short summary, the same for every occurrence.
    pub title: &'static str,
    /// What the caller can do.
    pub advice: &'static str,
}

/// Every kind there is.
pub const KINDS: [Kind; 17] = [
    Kind {
        slug: "bad-request",
        status: 400,
        title: "The request cannot be understood",
        advice: "The detail names the parameter and says what was expected. /docs shows every parameter with an example.",
    },
    Kind {
        slug: "unknown-parameter",
        status: 400,
        title: "A query parameter is not known here",
        advice: "The detail names the parameter and lists those that are known. Nothing is ignored silently, so that a \
                 misspelt filter cannot answer with everything.",
    },
    Kind {
        slug: "unauthorized",
        status: 401,
        title: "A key is needed",
        advice: "Send `Authorization: Bearer KEY` with a key that `deloton key new` printed; in a browser, sign in at \
                 /login. Keys end when they expire or are revoked: `deloton key list` shows how each stands.",
    },
    Kind {
        slug: "role-too-low",
        status: 403,
        title: "The key may not do this",
        advice: "The detail names the role that is needed. /docs says of each operation which that is; \
                 `deloton key new --role ROLE` makes a key that has it.",
    },
    Kind {
        slug: "forbidden",
        status: 403,
        title: "That is not allowed from there",
        advice: "A page of another site tried to change something here through your browser. Do it from a page of this \
                 server, or with a program of your own.",
    },
    Kind {
        slug: "not-found",
        status: 404,
        title: "There is nothing at this address",
        advice: "Check the id. Rides, riders and days appear as soon as the first line about them was stored; /docs \
                 lists every path.",
    },
    Kind {
        slug: "method-not-allowed",
        status: 405,
        title: "This address does not take that method",
        advice: "The `Allow` header of the answer lists the methods that are taken.",
    },
    Kind {
        slug: "request-timeout",
        status: 408,
        title: "The request took too long to arrive",
        advice: "Send headers and body at once. Nothing was changed; trying again is safe.",
    },
    Kind {
        slug: "payload-too-large",
        status: 413,
        title: "The request body is too large",
        advice: "Send at most 1 MiB.",
    },
    Kind {
        slug: "unsupported-media-type",
        status: 415,
        title: "The request body has a media type that is not taken here",
        advice: "Send `Content-Type: application/json`, and no `Content-Encoding`.",
    },
    Kind {
        slug: "misdirected-request",
        status: 421,
        title: "This server does not answer to that host name",
        advice: "Open it as localhost or 127.0.0.1, or start it with --public-url and the address you use. The check \
                 keeps web pages of others from reading this server through your browser.",
    },
    Kind {
        slug: "unsuitable",
        status: 422,
        title: "The request is well formed and cannot be meant",
        advice: "The detail says what does not go together: a day that no calendar has, a cursor of another list, limits the \
                 wrong way round, a job whose day is not over. /docs describes what each parameter means.",
    },
    Kind {
        slug: "too-many-requests",
        status: 429,
        title: "Too many requests",
        advice: "Wait as many seconds as the `Retry-After` header says. `RateLimit` says in every answer how many requests the \
                 key has left in its minute; ask for more rows at once (`limit`) rather than more often.",
    },
    Kind {
        slug: "internal-error",
        status: 500,
        title: "Something went wrong on the server",
        advice: "The server's log has the cause beside the request id of the `X-Request-Id` header. Trying again is safe.",
    },
    Kind {
        slug: "query-too-long",
        status: 503,
        title: "The answer took too long to find and was given up",
        advice: "Ask for less: fewer days, one rider, a smaller `limit`. The files in `data/lake` are for questions about all \
                 of history. Nothing was changed.",
    },
    Kind {
        slug: "too-busy",
        status: 503,
        title: "Too many questions at once",
        advice: "Wait as many seconds as the `Retry-After` header says and ask again, fewer at a time.",
    },
    Kind {
        slug: "unavailable",
        status: 503,
        title: "Not ready yet",
        advice: "Try again in a moment; /readyz says what is being waited for.",
    },
];

/// Kinds that say more than their status does: what only has a status is none of these.
const FINER: [&str; 4] = ["unknown-parameter", "role-too-low", "query-too-long", "too-busy"];

/// The kind with that slug.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn kind(slug: &str) -> Kind {
    let found = KINDS.into_iter().find(|kind| kind.slug == slug);
    found.unwrap_or_else(|| panic!("there is no kind of problem `{slug}`"))
}

/// The kind that stands for an HTTP status.
#[must_use]
pub fn kind_of(status: StatusCode) -> Kind {
    let same = KINDS
        .into_iter()
        .find(|kind| kind.status == status.as_u16() && !FINER.contains(&kind.slug));
    let family = if status.is_server_error() { 500 } else { 400 };
    same.or_else(|| KINDS.into_iter().find(|kind| kind.status == family))
        .unwrap_or(KINDS[0])
}

/// What went wrong, after RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(example)]
pub struct Problem {
    /// Address of a page that says what to do, e.g. `/problems/not-found`. Stable: branch on it.
    #[oai(rename = "type")]
    pub kind: String,
    /// A short summary, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
}

impl poem_openapi::types::Example for Problem {
    fn example() -> Self {
        Problem::new(
            kind_of(StatusCode::NOT_FOUND),
            "there is no ride `0181d5ba-438b-7000-8000-000000000000`",
        )
    }
}

impl Problem {
    /// A problem of a kind.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem {
            kind: format!("/problems/{}", kind.slug),
            title: kind.title.to_owned(),
            status: kind.status,
            detail: detail.into(),
        }
    }

    /// As an HTTP response with the status `status`, which may be finer than its kind's.
    #[must_use]
    pub fn response(mut self, status: StatusCode) -> Response {
        self.status = status.as_u16();
        let body = serde_json::json!({
            "type": self.kind, "title": self.title, "status": self.status, "detail": self.detail,
        });
        Response::builder()
            .status(status)
            .content_type("application/problem+json")
            .body(body.to_string())
    }
}

/// How an operation refuses.
#[derive(Debug, ApiResponse)]
pub enum Refusal {
    /// A parameter cannot be understood, or is not known here.
    #[oai(status = 400, content_type = "application/problem+json")]
    BadRequest(Json<Problem>),
    /// There is nothing at this address.
    #[oai(status = 404, content_type = "application/problem+json")]
    NotFound(Json<Problem>),
    /// The request is well formed and cannot be meant.
    #[oai(status = 422, content_type = "application/problem+json")]
    Unsuitable(Json<Problem>),
    /// Something went wrong on the server; its log has the cause.
    #[oai(status = 500, content_type = "application/problem+json")]
    Internal(Json<Problem>),
    /// It took too long, or too much is asked at once.
    #[oai(status = 503, content_type = "application/problem+json")]
    Unavailable(
        Json<Problem>,
        /// Seconds to wait before asking again.
        #[oai(header = "Retry-After")]
        u32,
    ),
}

impl Refusal {
    /// The request is not as the document has it.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Refusal::BadRequest(Json(Problem::new(kind_of(StatusCode::BAD_REQUEST), detail)))
    }

    /// The request says something that cannot be meant.
    #[must_use]
    pub fn unsuitable(detail: impl Into<String>) -> Self {
        Refusal::Unsuitable(Json(Problem::new(kind_of(StatusCode::UNPROCESSABLE_ENTITY), detail)))
    }

    /// What was asked for does not exist.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Refusal::NotFound(Json(Problem::new(kind_of(StatusCode::NOT_FOUND), detail)))
    }

    /// The answer took longer than it may.
    #[must_use]
    pub fn too_long(limit: Duration) -> Self {
        let detail = format!("the answer was not found within {} s", limit.as_secs());
        Refusal::Unavailable(Json(Problem::new(self::kind("query-too-long"), detail)), 10)
    }

    /// So many are asking already that this has to wait.
    #[must_use]
    pub fn too_busy() -> Self {
        let detail = "as many questions as may are being answered, and others wait";
        Refusal::Unavailable(Json(Problem::new(self::kind("too-busy"), detail)), 2)
    }

    /// The server failed. The cause goes to its log, never to the caller.
    #[must_use]
    pub fn internal(cause: &anyhow::Error) -> Self {
        tracing::error!("a request failed: {cause:#}");
        let kind = kind_of(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal::Internal(Json(Problem::new(
            kind,
            "the request could not be answered; the server's log says why",
        )))
    }
}

/// Turns whatever is not a success into a problem.
pub struct Problems;

impl<E: Endpoint> Middleware<E> for Problems {
    type Output = ProblemsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        ProblemsEndpoint { inner }
    }
}

/// See [`Problems`].
pub struct ProblemsEndpoint<E> {
    inner: E,
}

impl<E: Endpoint> Endpoint for ProblemsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(answer) => Ok(answered(answer, &path)),
            Err(panic) => {
                tracing::error!("a request handler panicked: {}", panic_text(panic.as_ref()));
                let kind = kind_of(StatusCode::INTERNAL_SERVER_ERROR);
                let problem = Problem::new(kind, "the request could not be answered; the server's log says why");
                Ok(problem.response(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

/// The answer of an endpoint at `path`, a problem where it is an error.
pub(super) fn answered(answer: poem::Result<impl IntoResponse>, path: &str) -> Response {
    match answer {
        Ok(response) => as_problem(response.into_response(), None, path),
        Err(error) => {
            let detail = (!error.is_from_response()).then(|| error.to_string());
            as_problem(error.into_response(), detail, path)
        }
    }
}

/// A response that is an error in other words becomes a problem; pages for people and problems stay as they are.
fn as_problem(response: Response, detail: Option<String>, path: &str) -> Response {
    let status = response.status();
    let media_type = response.content_type().unwrap_or_default();
    let is_worded = media_type == "application/problem+json" || media_type.starts_with("text/html");
    if !(status.is_client_error() || status.is_server_error()) || is_worded {
        return response;
    }
    let allow = response.headers().get("allow").cloned();
    let detail = match status {
        StatusCode::NOT_FOUND => format!("there is nothing at `{path}`"),
        StatusCode::METHOD_NOT_ALLOWED => format!("`{path}` does not take this method"),
        _ if status.is_server_error() => "the request could not be answered; the server's log says why".to_owned(),
        _ => detail.unwrap_or_else(|| kind_of(status).title.to_owned()),
    };
    let mut problem = Problem::new(kind_of(status), detail).response(status);
    if let Some(allow) = allow {
        problem.headers_mut().insert("allow", allow);
    }
    problem
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// A problem raised before any handler runs.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
pub struct Raised(pub Problem);

impl ResponseError for Raised {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::BAD_REQUEST)
    }

    fn as_response(&self) -> Response {
        self.0.clone().response(self.status())
    }
}
