//! Tableau's own file format, `.hyper`. Only Tableau's `hyperd` writes it, a database server that speaks the protocol of
//! Postgres; it comes with the Python package `tableauhyperapi`. It is started for the time that files are written, and
//! reads the Parquet files of the extracts itself.

mod server;
#[cfg(test)]
mod tests;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use server::Server;

/// Why a `.hyper` could not be written.
#[derive(Debug, thiserror::Error)]
pub enum HyperError {
    /// There is no `hyperd`.
    #[error(
        "no .hyper files: `hyperd` was not found; install it with `pip install tableauhyperapi`, or name it with --hyperd"
    )]
    Missing,
    /// The given one is not there.
    #[error("there is no `hyperd` at `{}`: correct --hyperd, or leave it out; nothing was written", .0.display())]
    NotThere(PathBuf),
    /// It does not start.
    #[error(transparent)]
    Start(#[from] NotStarted),
    /// It refused a statement.
    #[error("hyperd refused to {doing}: {}", message(.source))]
    Refused {
        /// What was being done, to what.
        doing: String,
        /// What it said.
        source: postgres::Error,
    },
    /// A file could not be written or read.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A `hyperd` did not start.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "`{} run` was tried and did not come up: {said}; install `tableauhyperapi` again, or name another with --hyperd",
    program.display()
)]
pub struct NotStarted {
    /// The program.
    program: PathBuf,
    /// What it or the system said.
    said: String,
}

/// What the server said, rather than that it said something.
fn message(error: &postgres::Error) -> String {
    let cause = || std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    error
        .as_db_error()
        .map_or_else(cause, |error| error.message().to_owned())
}

/// An installed `hyperd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hyperd {
    program: PathBuf,
}

impl Hyperd {
    /// The given one; without that the one in a `tableauhyperapi` installed below one of `prefixes`, as virtual environments and
    /// `/usr/local` are.
    ///
    /// # Errors
    /// There is none; the error says what to install.
    pub fn find(given: Option<&Path>, prefixes: &[PathBuf]) -> Result<Hyperd, HyperError> {
        if let Some(given) = given {
            let program = given.to_owned();
            return if program.is_file() {
                Ok(Hyperd { program })
            } else {
                Err(HyperError::NotThere(program))
            };
        }
        prefixes
            .iter()
            .flat_map(|prefix| packages(&prefix.join("lib")))
            .map(|packages| packages.join("tableauhyperapi/bin/hyper/hyperd"))
            .find(|program| program.is_file())
            .map(|program| Hyperd { program })
            .ok_or(HyperError::Missing)
    }
}

/// Where the Pythons below `lib` keep packages: those of pip, and those of Debian.
fn packages(lib: &Path) -> Vec<PathBuf> {
    let Ok(entries) = lib.read_dir() else {
        return Vec::new();
    };
    let mut pythons: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        })
        .collect();
    pythons.sort();
    pythons
        .iter()
        .flat_map(|python| ["site-packages", "dist-packages"].map(|kind| python.join(kind)))
        .collect()
}
