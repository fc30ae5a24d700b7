//! Where a command tells what it does: a terminal, a pipe, or whoever asked a server for it.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

/// Takes what a command says, and how far it is.
pub trait Output: Write {
    /// So far it is. Shown to people who watch, and to nobody else.
    fn progress(&mut self, progress: Progress);
}

/// How far a command is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done, in units.
    pub done: u64,
    /// What is to be done, in units.
    pub all: u64,
    /// What is counted.
    pub unit: Unit,
    /// What it is at, e.g. `report 2026-01-05`.
    pub at: String,
}

/// What progress is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Runs of a job.
    Runs,
    /// Files.
    Files,
    /// Thousandths of steps that are of different kinds.
    Thousandths,
}

/// Standard output, and a bar on standard error where that is a terminal.
#[derive(Default)]
pub struct Terminal {
    bar: Option<ProgressBar>,
    /// The beginning of a line, while there is a bar: that would come between its pieces.
    line: Vec<u8>,
}

impl Terminal {
    /// Writes the first bytes of the line beside the bar.
    fn emit(&mut self, length: usize) -> io::Result<()> {
        let bytes: Vec<u8> = self.line.drain(..length).collect();
        let write = || io::stdout().write_all(&bytes);
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        // A pipe that is closed is no mistake.
        self.emit(self.line.len()).ok();
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bar.is_none() {
            return io::stdout().write(bytes);
        }
        self.line.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.line) {
            self.emit(end + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Output for Terminal {
    fn progress(&mut self, progress: Progress) {
        if !io::stderr().is_terminal() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(progress.unit));
        bar.set_length(progress.all);
        bar.set_position(progress.done);
        bar.set_message(progress.at);
        if progress.done >= progress.all {
            self.end_bar();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.end_bar();
    }
}

fn bar(unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{bar:40} {percent} % {bytes_per_sec} {eta}",
        Unit::Runs | Unit::Files => "{bar:40} {pos} of {len}: {msg}",
        Unit::Thousandths => "{bar:40} {percent} %: {msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
impl Output for Vec<u8> {
    fn progress(&mut self, _: Progress) {}
}
