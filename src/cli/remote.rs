//! Commands done by a running server: how it is found, and how it is asked.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use futures_util::StreamExt;
use poem::{
    Body, Endpoint, Request, Response,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    StoreCommand,
    output::{Output, Progress},
};
use crate::app::App;

/// Where the server takes commands.
pub const PATH: &str = "/internal/commands";

/// How long a server may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often whoever waits is told how far a command is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What `serve` writes into its data folder, readable by its owner alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// Known to those who may read the file; new at every start.
    pub token: String,
}

/// A piece of a command's answer; one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Output(String),
    Progress(Progress),
    Done,
    Failed(String),
}

impl Server {
    /// The file that names the server of a data folder.
    #[must_use]
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("serve.json")
    }

    /// The server of a data folder, if one is alive.
    ///
    /// # Errors
    /// When the file that names it is damaged.
    pub fn find(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::file(data_dir);
        let Ok(text) = fs::read(&path) else { return Ok(None) };
        let server: Server = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is damaged; delete it if no server is running", path.display()))?;
        // A file left behind by a server that was killed names an address where nobody listens, or somebody else.
        let agent = agent(Some(PATIENCE));
        let alive = agent
            .get(format!("http://{}{PATH}", server.address))
            .header("x-deloton-token", &server.token)
            .call();
        Ok(alive.is_ok_and(|answer| answer.status() == 204).then_some(server))
    }

    /// Leaves word where this server is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, data_dir: &Path) -> anyhow::Result<()> {
        let path = Self::file(data_dir);
        let aside = path.with_extension("json.next");
        let write = || -> std::io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&aside)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            fs::rename(&aside, &path)
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Has the server do `command` and passes on what it says.
    ///
    /// # Errors
    /// Why it could not be done, in the server's words.
    pub fn execute(&self, command: &StoreCommand, out: &mut dyn Output) -> anyhow::Result<()> {
        let lost = || {
            format!(
                "the server at {} (process {}) did not finish the command",
                self.address, self.pid
            )
        };
        let answer = agent(None)
            .post(format!("http://{}{PATH}", self.address))
            .header("x-deloton-token", &self.token)
            .send_json(command)
            .with_context(lost)?;
        if answer.status() != 200 {
            bail!(
                "the server at {} refused the command: {}",
                self.address,
                answer.status()
            );
        }
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            match serde_json::from_str(&line.with_context(lost)?).with_context(lost)? {
                Answer::Output(text) => {
                    out.write_all(text.as_bytes())?;
                    out.flush()?;
                }
                Answer::Progress(progress) => out.progress(progress),
                Answer::Done => return Ok(()),
                Answer::Failed(reason) => return Err(anyhow!(reason)),
            }
        }
        bail!(lost())
    }
}

fn agent(patience: Option<Duration>) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(patience)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

/// The server's side: does commands for whoever knows the token.
#[must_use]
pub fn endpoint(app: App, token: String) -> impl Endpoint<Output = Response> {
    poem::endpoint::make(move |mut request: Request| {
        let (app, token) = (app.clone(), token.clone());
        async move {
            if request.header("x-deloton-token") != Some(token.as_str()) {
                return Ok::<Response, poem::Error>(StatusCode::NOT_FOUND.into());
            }
            if request.method() == poem::http::Method::GET {
                return Ok(Response::builder().status(StatusCode::NO_CONTENT).finish());
            }
            let command: StoreCommand = request.take_body().into_json().await?;
            Ok(answer(app, command))
        }
    })
}

fn answer(app: App, command: StoreCommand) -> Response {
    let (lines, received) = mpsc::unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let mut out = Lines::new(lines);
        let answer = match command.execute(&app, &mut out) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Failed(format!("{error:#}")),
        };
        // Nobody is there any more to be told how it ended; its runs are in the ledger.
        out.say(&answer).ok();
    });
    let stream = futures_util::stream::unfold(received, |mut received: mpsc::UnboundedReceiver<Vec<u8>>| async {
        received.recv().await.map(|line| (line, received))
    });
    let body = Body::from_bytes_stream(stream.map(Ok::<_, std::io::Error>));
    Response::builder()
        .header(header::CONTENT_TYPE, "application/jsonl")
        .body(body)
}

/// Sends what a command writes, as it writes it.
struct Lines {
    lines: mpsc::UnboundedSender<Vec<u8>>,
    progressed_at: Option<Instant>,
}

impl Lines {
    fn new(lines: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        Lines {
            lines,
            progressed_at: None,
        }
    }

    fn say(&mut self, answer: &Answer) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.lines.send(line).map_err(|_| caller_has_gone())
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.say(&Answer::Output(String::from_utf8_lossy(bytes).into_owned()))?;
        Ok(bytes.len())
    }

    /// Fails where the caller has gone away: a command of many steps ends between two of them then.
    fn flush(&mut self) -> std::io::Result<()> {
        if self.lines.is_closed() {
            return Err(caller_has_gone());
        }
        Ok(())
    }
}

impl Output for Lines {
    fn progress(&mut self, progress: Progress) {
        let is_last = progress.done >= progress.all;
        if is_last || self.progressed_at.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
            self.progressed_at = Some(Instant::now());
            // Should nobody be there any more, the next step hears of it.
            self.say(&Answer::Progress(progress)).ok();
        }
    }
}

fn caller_has_gone() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::BrokenPipe,
        "whoever asked for the command has gone away",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_hears_between_its_steps_that_its_caller_has_gone() {
        let (lines, received) = mpsc::unbounded_channel();
        let mut out = Lines::new(lines);
        out.write_all(b"2026-01-05 done").unwrap();
        out.flush().unwrap();
        drop(received);
        assert_eq!(out.flush().unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
