//! Is it alive, is it ready, and the numbers for Prometheus.

use poem::{IntoResponse, Response, handler, http::StatusCode, web::Data};

use super::{
    ApiContext,
    problem::{Problem, kind_of},
};
use crate::store::query::ledger;

/// The process answers.
#[handler]
pub(super) fn healthz() -> Response {
    "ok\n".with_content_type("text/plain; charset=utf-8").into_response()
}

/// The process can do its work: the store answers and nothing it depends on is out of reach.
#[handler]
pub(super) async fn readyz(context: Data<&ApiContext>) -> Response {
    let mut troubles = (context.troubles)();
    if context.read(ledger::standing).await.is_err() {
        troubles.push("the database does not answer; the server's log says why".to_owned());
    }
    if troubles.is_empty() {
        return "ready\n".with_content_type("text/plain; charset=utf-8").into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(kind_of(status), troubles.join("; ")).response(status)
}

/// Every metric, in Prometheus' text format.
#[handler]
pub(super) fn metrics(context: Data<&ApiContext>) -> Response {
    let text = (context.metrics)();
    text.with_content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .into_response()
}
