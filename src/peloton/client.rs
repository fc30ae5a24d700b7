//! Asks Peloton's API: never more than once a second, again after what passes, and no longer than its token is good.

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::runtime::Handle;

use super::token::{REMEDY, Token};
use crate::{
    clock::Clock,
    domain::cancel::{Cancel, Cancelled},
    http::connector,
};

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// A question is put so often, at most.
const MOST_TRIES: u32 = 4;

/// A hundred workouts are some hundred kilobytes, and the course of one less than that.
const MOST_BYTES: usize = 32 << 20;

/// Whoever is to wait longer than this comes back at a firing after that.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Nobody is believed who wishes not to be asked for longer.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(7);

/// A token that ends sooner is renewed first.
const SOON: TimeDelta = TimeDelta::minutes(5);

/// How long is waited between questions.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one to the next.
    pub between: Duration,
    /// Before the same is asked again; twice as long each time.
    pub again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            between: Duration::from_secs(1),
            again: Duration::from_secs(2),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is no such thing.
    #[error("Peloton does not have {0}")]
    NotFound(&'static str),
    /// This was not answered, and something else may be.
    #[error("{0}")]
    Unanswered(String),
    /// Nothing is answered with this token.
    #[error("{0}")]
    Token(String),
    /// Peloton wishes not to be asked before.
    #[error("Peloton wishes not to be asked before {} UTC: {why}", not_before.format("%Y-%m-%d %H:%M:%S"))]
    TooSoon {
        /// Before this.
        not_before: DateTime<Utc>,
        /// What it answered.
        why: String,
    },
    /// The run is no longer wanted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Asks with the token of one account.
pub struct Client<'a> {
    base: String,
    token: Token,
    pace: Pace,
    http: SharedHttpConnector,
    runtime: &'a Handle,
    cancel: &'a Cancel,
    clock: Clock,
    asked_at: Instant,
}

/// How one call ended.
enum Ended {
    Answered(u16, Vec<u8>, Option<Duration>),
    Broke(String),
}

/// What a question came to that was answered.
enum Answer {
    Is(Value),
    /// Another status than 200, and none that passes.
    Status(u16),
}

impl<'a> Client<'a> {
    /// Asks the API at `base`.
    #[must_use]
    pub fn new(base: &str, token: Token, pace: Pace, clock: Clock, runtime: &'a Handle, cancel: &'a Cancel) -> Self {
        Client {
            base: base.to_owned(),
            token,
            pace,
            http: connector(CONNECT, ANSWER),
            runtime,
            cancel,
            clock,
            // As if asked just now: an account before this one may have been.
            asked_at: Instant::now(),
        }
    }

    /// Renews the token where it ends soon, and says so where it has ended.
    pub(super) fn check_token(&mut self, now: DateTime<Utc>) -> Result<(), ApiError> {
        let Some(expires_at) = self.token.expires_at().filter(|at| *at - now < SOON) else {
            return Ok(());
        };
        match self.renew() {
            Ok(false) if expires_at <= now => {}
            Err(ApiError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(error) if expires_at > now => {
                tracing::warn!("{error}; the token is good for some minutes yet");
                return Ok(());
            }
            renewed => return renewed.map(drop),
        }
        let ended = expires_at.format("%Y-%m-%d %H:%M");
        Err(ApiError::Token(format!("the token expired on {ended} UTC; {REMEDY}")))
    }

    /// The answer to `GET path`, a JSON document. Errors say what was `wanted`, for the path may say of whom.
    pub(super) fn get(&mut self, path: &str, wanted: &'static str) -> Result<Value, ApiError> {
        let url = format!("{}{path}", self.base);
        let mut answer = self.answer(&url, None, wanted)?;
        if matches!(answer, Answer::Status(401)) && self.renew()? {
            answer = self.answer(&url, None, wanted)?;
        }
        match answer {
            Answer::Is(answer) => Ok(answer),
            Answer::Status(404) => Err(ApiError::NotFound(wanted)),
            Answer::Status(401) => Err(ApiError::Token(format!(
                "Peloton refuses the token (401), it has expired; {REMEDY}"
            ))),
            Answer::Status(status) => Err(ApiError::Unanswered(format!(
                "Peloton answered with status {status} when it was asked for {wanted}"
            ))),
        }
    }

    /// Gets a new token for the old one; false where that cannot be.
    fn renew(&mut self) -> Result<bool, ApiError> {
        let Some(renewal) = self.token.renewal() else {
            return Ok(false);
        };
        let refused = |why: String| ApiError::Token(format!("the token cannot be renewed: {why}; {REMEDY}"));
        let reserved = self.token.reserve().map_err(refused)?;
        match self.answer(&renewal.url, Some(&renewal.body.to_string()), "a new token")? {
            Answer::Is(answer) => {
                self.token
                    .renewed(&answer, reserved)
                    .map_err(|why| ApiError::Token(format!("{why}; {REMEDY}")))?;
                tracing::info!("the token of the account at Peloton was renewed");
                Ok(true)
            }
            Answer::Status(status) => Err(refused(format!("it was answered with status {status}"))),
        }
    }

    /// Asks, and asks again after what passes: a line that broke, a service that is busy or broken.
    fn answer(&mut self, url: &str, body: Option<&str>, wanted: &str) -> Result<Answer, ApiError> {
        let mut wait = self.pace.again;
        let mut tries = 1;
        loop {
            let (why, asked_to_wait) = match self.call(url, body)? {
                Ended::Answered(200, body, _) => match serde_json::from_slice(&body) {
                    Ok(answer) => return Ok(Answer::Is(answer)),
                    Err(_) => ("its answer broke off, or is no JSON".to_owned(), None),
                },
                Ended::Answered(status @ (408 | 429 | 500..=599), _, asked_to_wait) => {
                    (format!("it answered with status {status}"), asked_to_wait)
                }
                Ended::Answered(status, ..) => return Ok(Answer::Status(status)),
                Ended::Broke(why) => (why, None),
            };
            let pause = asked_to_wait.unwrap_or(wait);
            if tries == MOST_TRIES || pause > LONGEST_WAIT {
                let Some(pause) = asked_to_wait else {
                    return Err(ApiError::Unanswered(format!(
                        "Peloton could not be asked for {wanted}: {why}; the next run goes on"
                    )));
                };
                let pause = TimeDelta::from_std(pause).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
                let not_before = self.clock.now() + pause;
                return Err(ApiError::TooSoon { not_before, why });
            }
            tracing::info!("Peloton is asked again in {} s: {why}", pause.as_secs());
            self.sleep(pause)?;
            wait *= 2;
            tries += 1;
        }
    }

    /// One call: of what has a body a `POST`, which needs no token.
    fn call(&mut self, url: &str, body: Option<&str>) -> Result<Ended, ApiError> {
        self.sleep(self.pace.between.saturating_sub(self.asked_at.elapsed()))?;
        self.asked_at = Instant::now();
        let is_question = body.is_none();
        let bad = |_| {
            ApiError::Token(format!(
                "`{url}` is no address; correct it in cron.toml or the token file"
            ))
        };
        let mut request = HttpRequest::new(body.unwrap_or_default().into());
        request
            .set_method(if is_question { "GET" } else { "POST" })
            .map_err(bad)?;
        request.set_uri(url).map_err(bad)?;
        let headers = request.headers_mut();
        headers.insert("accept", "application/json");
        headers.insert("user-agent", concat!("deloton/", env!("CARGO_PKG_VERSION")));
        if is_question {
            headers.insert("authorization", format!("Bearer {}", self.token.secret()));
            headers.insert("peloton-platform", "web");
        } else {
            headers.insert("content-type", "application/json");
        }
        let call = async {
            let answer = self.http.call(request).await.map_err(|error| innermost(&error))?;
            let status = answer.status().as_u16();
            let wait = answer.headers().get("retry-after");
            let wait = wait.and_then(|text| retry_after(text, self.clock.now()));
            let body = whole(ByteStream::new(answer.into_body())).await?;
            Ok(Ended::Answered(status, body, wait))
        };
        let limited = self
            .runtime
            .block_on(async { tokio::time::timeout(CONNECT + ANSWER, call).await });
        let ended: Result<Ended, String> = limited.unwrap_or_else(|_| Err("there was no answer in time".to_owned()));
        Ok(ended.unwrap_or_else(Ended::Broke))
    }

    /// Waits, unless the run is cancelled meanwhile.
    fn sleep(&self, pause: Duration) -> Result<(), Cancelled> {
        /// Whoever waits looks this often.
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let until = Instant::now() + pause;
        loop {
            self.cancel.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// The whole of an answer, which must not fill the memory.
async fn whole(mut stream: ByteStream) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = stream.next().await {
        body.extend_from_slice(&piece.map_err(|_| "its answer broke off".to_owned())?);
        if body.len() > MOST_BYTES {
            return Err(format!("its answer is of more than {} MiB", MOST_BYTES >> 20));
        }
    }
    Ok(body)
}

/// How long a `Retry-After` asks to wait: seconds, or until a date.
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

/// What went wrong in the end: what is around it only says that it was an exchange.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_taken_whole_or_not_at_all() {
        let answered = |length: usize| whole(ByteStream::from(vec![b' '; length]));
        assert_eq!(answered(MOST_BYTES).await.unwrap().len(), MOST_BYTES);
        assert_eq!(
            answered(MOST_BYTES + 1).await.unwrap_err(),
            "its answer is of more than 32 MiB"
        );
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        let seconds = |text: &str| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds(" 3600 "), Some(3600));
        assert_eq!(seconds("Sat, 10 Jan 2026 12:00:25 GMT"), Some(25));
        assert_eq!(seconds("Sat, 10 Jan 2026 11:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(seconds("soon"), None);
    }
}
