//! Dead-man's switches: services that expect word of a job, and raise an alarm when none comes. The protocol is that of
//! healthchecks.io.
//!
//! ```text
//! POST <url>/start?rid=<run>    a run begins
//! POST <url>?rid=<run>          it did what it was for
//! POST <url>/log?rid=<run>      it failed, and is tried again
//! POST <url>/fail?rid=<run>     it failed, and is not
//! ```
//!
//! All but the first carry the tail of the run's log. A ping is queued and sent by a task of its own: no job waits for one.
//! Its address is a secret, and in no message.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use tokio::{runtime::Handle, sync::mpsc};
use uuid::Uuid;

use crate::{config::schedule::PingUrl, http::connector};

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

/// Waits before a ping is sent again.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Pings that wait for a slow service; more are left out.
const MOST_WAITING: usize = 64;

/// Of a log, the service keeps this much.
const MOST_BYTES: usize = 10_000;

/// What a service is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A run begins.
    Start,
    /// It did what it was for.
    Success,
    /// It failed, and is tried again: nobody is alarmed.
    Log,
    /// It failed, and is not tried again.
    Fail,
}

impl Signal {
    fn path(self) -> &'static str {
        match self {
            Signal::Start => "/start",
            Signal::Success => "",
            Signal::Log => "/log",
            Signal::Fail => "/fail",
        }
    }
}

/// One ping.
#[derive(Debug)]
struct Ping {
    signal: Signal,
    run_id: Uuid,
    log: String,
}

/// Sends pings, one after the other to each address.
pub struct Pings {
    runtime: Handle,
    http: SharedHttpConnector,
    queues: Mutex<BTreeMap<PingUrl, mpsc::Sender<Ping>>>,
    waiting: Arc<AtomicUsize>,
}

impl fmt::Debug for Pings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pings").finish_non_exhaustive()
    }
}

impl Pings {
    /// Sends on `runtime`.
    #[must_use]
    pub fn new(runtime: &Handle) -> Self {
        Pings {
            runtime: runtime.clone(),
            http: connector(CONNECT, ANSWER),
            queues: Mutex::default(),
            waiting: Arc::default(),
        }
    }

    /// Tells the service at `url` of a run of `job`, some time soon.
    pub fn send(&self, job: &str, url: &PingUrl, signal: Signal, run_id: Uuid, log: &str) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(url.clone()).or_insert_with(|| self.open(job, url));
        let log = tail(log).to_owned();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if queue.try_send(Ping { signal, run_id, log }).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(
                job.name = job,
                "a ping of `{job}` was left out: its service is too slow"
            );
        }
    }

    /// Waits until every ping was sent or given up, for `limit` at most.
    pub fn finish(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while self.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn open(&self, job: &str, url: &PingUrl) -> mpsc::Sender<Ping> {
        let (sender, mut receiver) = mpsc::channel::<Ping>(MOST_WAITING);
        let (job, url, http, waiting) = (
            job.to_owned(),
            url.clone(),
            self.http.clone(),
            Arc::clone(&self.waiting),
        );
        self.runtime.spawn(async move {
            while let Some(ping) = receiver.recv().await {
                if let Err(why) = deliver(&http, &url, &ping).await {
                    tracing::warn!(job.name = job, run.id = %ping.run_id, "a ping of `{job}` did not arrive: {why}");
                }
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
        });
        sender
    }
}

/// Sends one ping, again where that may help.
async fn deliver(http: &SharedHttpConnector, url: &PingUrl, ping: &Ping) -> Result<(), String> {
    let mut waits = AGAIN_AFTER.into_iter();
    loop {
        let why = match call(http, url, ping).await {
            Ok(200..=299) => return Ok(()),
            // What it says of this ping it would say again.
            Ok(status @ 400..=499) if !matches!(status, 408 | 429) => {
                return Err(format!(
                    "the service answered with status {status}; is the address right?"
                ));
            }
            Ok(status) => format!("the service answered with status {status}"),
            Err(why) => why,
        };
        match waits.next() {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(why),
        }
    }
}

async fn call(http: &SharedHttpConnector, url: &PingUrl, ping: &Ping) -> Result<u16, String> {
    let mut request = HttpRequest::new(ping.log.clone().into());
    let address = address(url.secret(), ping.signal, ping.run_id);
    let is_no_address = |_| "its address is not one".to_owned();
    request.set_method("POST").map_err(is_no_address)?;
    request.set_uri(address.as_str()).map_err(is_no_address)?;
    request
        .headers_mut()
        .insert("content-type", "text/plain; charset=utf-8");
    request
        .headers_mut()
        .insert("user-agent", concat!("deloton/", env!("CARGO_PKG_VERSION")));
    match tokio::time::timeout(CONNECT + ANSWER, http.call(request)).await {
        Ok(Ok(answer)) => Ok(answer.status().as_u16()),
        // The error's own words may name the address.
        Ok(Err(error)) if error.is_timeout() => Err("no answer in time".to_owned()),
        Ok(Err(_)) => Err("the service could not be reached".to_owned()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Where a signal goes. What the address asks for after a `?` stays.
fn address(url: &str, signal: Signal, run_id: Uuid) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let and = if query.is_empty() { "" } else { "&" };
    format!(
        "{}{}?{query}{and}rid={run_id}",
        path.trim_end_matches('/'),
        signal.path()
    )
}

/// The end of a log, in whole characters.
fn tail(log: &str) -> &str {
    let mut from = log.len().saturating_sub(MOST_BYTES);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    &log[from..]
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
        sync::mpsc::{Receiver, channel},
    };

    use super::*;

    const RUN: Uuid = Uuid::from_u128(7);

    /// A service that answers with each status in turn, then 200, and hands on what it was told.
    fn service(answers: Vec<u16>) -> (PingUrl, Receiver<(String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a-secret", listener.local_addr().unwrap());
        let (told, hears) = channel();
        let mut answers = answers.into_iter();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let (mut header, mut length) = (String::new(), 0);
                while reader.read_line(&mut header).unwrap() > 2 {
                    if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    header.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let status = answers.next().unwrap_or(200);
                write!(
                    stream,
                    "HTTP/1.1 {status} Fine\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
                .unwrap();
                let line = line.trim_end_matches(" HTTP/1.1\r\n").to_owned();
                if told.send((line, String::from_utf8(body).unwrap())).is_err() {
                    return;
                }
            }
        });
        (PingUrl::parse(&url).unwrap(), hears)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn a_service_hears_of_a_run_in_order_and_again_after_an_error() {
        let runtime = runtime();
        let pings = Pings::new(runtime.handle());
        let (url, hears) = service(vec![503]);
        pings.send("compact", &url, Signal::Start, RUN, "");
        pings.send("compact", &url, Signal::Log, RUN, "no space");
        pings.send("compact", &url, Signal::Fail, RUN, "no space at all");
        pings.send(
            "compact",
            &url,
            Signal::Success,
            RUN,
            &format!("{}7 rides", "é".repeat(MOST_BYTES)),
        );
        pings.finish(Duration::from_secs(20));
        let heard: Vec<_> = hears.try_iter().collect();
        let lines: Vec<_> = heard.iter().map(|(line, _)| line.as_str()).collect();
        let run = |path: &str| format!("POST /a-secret{path}?rid={RUN}");
        assert_eq!(
            lines,
            [run("/start"), run("/start"), run("/log"), run("/fail"), run("")]
        );
        assert_eq!(
            (heard[2].1.as_str(), heard[3].1.as_str()),
            ("no space", "no space at all")
        );
        assert!(heard[4].1.ends_with("é7 rides") && heard[4].1.len() <= MOST_BYTES);
    }

    #[test]
    fn a_service_that_does_not_answer_keeps_nobody() {
        let runtime = runtime();
        let pings = Pings::new(runtime.handle());
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = PingUrl::parse(&format!("http://{}/x", silent.local_addr().unwrap())).unwrap();
        let began = Instant::now();
        for _ in 0..2 * MOST_WAITING {
            pings.send("compact", &url, Signal::Success, RUN, "");
        }
        pings.finish(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(2));
        runtime.shutdown_background();
    }

    #[test]
    fn an_address_keeps_its_query_and_its_secret() {
        assert_eq!(
            address("https://hc.example/key/compact?create=1", Signal::Fail, RUN),
            format!("https://hc.example/key/compact/fail?create=1&rid={RUN}")
        );
        let url = PingUrl::parse("https://hc.example/a-secret").unwrap();
        assert!(!format!("{url:?}").contains("a-secret"));
        assert!(PingUrl::parse("hc.example/a-secret").is_none());
    }
}
