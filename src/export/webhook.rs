//! A webhook: a POST that its receiver can trust.
//!
//! ```text
//! POST <url>
//! Content-Type: application/json
//! Idempotency-Key: <id of the message, the same at every attempt>
//! X-Deloton-Timestamp: <seconds since 1970>
//! X-Deloton-Signature: sha256=<hex of HMAC-SHA256(secret, "<timestamp>.<body>")>
//! ```
//!
//! Any answer of 2xx means that it arrived.

use std::{fmt, time::Duration};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    domain::message::{Envelope, SendError, SendReceipt},
    http::connector,
};

/// A receiver that does not answer must not hold the others up.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

/// A receiver of signed calls.
pub struct Webhook {
    url: String,
    secret: String,
    http: SharedHttpConnector,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// The receiver at `url`, with which `secret` is shared.
    #[must_use]
    pub fn new(url: &str, secret: &str) -> Self {
        Webhook {
            url: url.to_owned(),
            secret: secret.to_owned(),
            http: connector(CONNECT, ANSWER),
        }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    pub(super) async fn call(
        &self,
        envelope: &Envelope,
        body: String,
        now: DateTime<Utc>,
    ) -> Result<SendReceipt, SendError> {
        let timestamp = now.timestamp();
        let signed = format!("sha256={}", signature(&self.secret, timestamp, body.as_bytes()));
        let id = envelope.message_id.to_string();
        let bad_url = || SendError::Dead(format!("`{}` cannot be called; correct `--webhook-url`", self.url));
        let mut request = HttpRequest::new(body.into());
        request.set_method("POST").map_err(|_| bad_url())?;
        request.set_uri(self.url.as_str()).map_err(|_| bad_url())?;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", concat!("deloton/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("idempotency-key", id),
            ("x-deloton-timestamp", timestamp.to_string()),
            ("x-deloton-signature", signed),
        ];
        for (name, value) in headers {
            request.headers_mut().insert(name, value);
        }
        let unreachable = |why: &str| {
            SendError::Retry(format!(
                "the webhook `{}` could not be reached ({why}); it is tried again",
                self.url
            ))
        };
        let answer = match tokio::time::timeout(CONNECT + ANSWER, self.http.call(request)).await {
            Ok(Ok(answer)) => answer.status().as_u16(),
            Ok(Err(error)) => return Err(unreachable(&error.to_string())),
            Err(_) => return Err(unreachable("no answer in time")),
        };
        match answer {
            200..=299 => Ok(SendReceipt {
                reference: format!("status {answer}"),
            }),
            // What it says of this call it would say again; only what may pass is tried again.
            400..=499 if !matches!(answer, 401 | 403 | 404 | 408 | 421 | 423 | 425 | 429) => Err(SendError::Dead(
                format!("the webhook `{}` refused the call with status {answer}", self.url),
            )),
            _ => Err(SendError::Retry(format!(
                "the webhook `{}` answered with status {answer}; it is tried again",
                self.url
            ))),
        }
    }
}

/// HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal: what a receiver compares with, in constant time. It also refuses a
/// timestamp that is minutes old.
///
/// # Panics
/// Never: a key of any length will do.
#[must_use]
pub fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_other_program_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a secret'
        assert_eq!(
            signature("a secret", 1_700_000_000, br#"{"a":1}"#),
            "b4c5d5c08194254de18b80695176335ee482a5907fb5e68f7bd993b1b00b018d"
        );
    }
}
