//! `deloton site`: the published site and its editions.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::{app::App, publish::Editions};

/// Look at the published site's editions, and go back to one.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct SiteArgs {
    #[command(subcommand)]
    command: Option<SiteCommand>,
}

#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
enum SiteCommand {
    /// List the editions that can be gone back to, newest first; the default.
    Editions,
    /// Make the site what it was in an older edition. The next run that publishes brings what is rendered then.
    Rollback {
        /// Its number in the list.
        edition: u64,
    },
    /// Publish the reports that are there, also where that deletes much of the site.
    Publish {
        /// What this command is for: `deloton run publish` is the usual way, and stops when much would be deleted.
        #[arg(long, required = true)]
        allow_deletes: bool,
    },
}

impl SiteArgs {
    /// Whether it only looks.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        matches!(self.command, None | Some(SiteCommand::Editions))
    }
}

/// Does it and says what was done.
///
/// # Errors
/// When the site cannot be reached, or there is no such edition.
pub fn site(args: &SiteArgs, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        None | Some(SiteCommand::Editions) => editions(app, out),
        Some(SiteCommand::Rollback { edition }) => {
            let status = app.roll_back(*edition)?;
            match status.edition {
                Some(new) => writeln!(
                    out,
                    "edition {new} is what edition {edition} was: {} written, {} deleted",
                    counted(status.written.len() as u64, "file"),
                    status.deleted.len()
                )?,
                None if !status.written.is_empty() || !status.deleted.is_empty() => writeln!(
                    out,
                    "an edition that was begun and never finished was taken back; the site is what it was in edition {edition}"
                )?,
                None => writeln!(
                    out,
                    "the site is what it was in edition {edition} already; nothing was changed"
                )?,
            }
            writeln!(
                out,
                "The next run of `publish` brings what is rendered then: correct the report before, or disable the job."
            )?;
            Ok(())
        }
        Some(SiteCommand::Publish { .. }) => {
            let status = app.publish_whatever_it_deletes()?;
            let count = |name| status.counts.get(name).copied().unwrap_or(0);
            writeln!(
                out,
                "{} written, {} deleted, {} unchanged",
                counted(count("files_written"), "file"),
                count("files_deleted"),
                count("files_unchanged")
            )?;
            Ok(())
        }
    }
}

fn editions(app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    let Editions {
        newest_first: editions,
        is_unfinished,
        ..
    } = app.editions()?;
    if is_unfinished {
        writeln!(
            out,
            "An edition was begun and not finished, so the site is partly that one; `deloton run publish` completes it."
        )?;
    }
    if editions.is_empty() {
        writeln!(out, "nothing is published yet; `deloton run publish` does it")?;
        return Ok(());
    }
    let zone = app.schedule().day.timezone;
    writeln!(
        out,
        "{:>7}  {:<20}  {:>7}  {:>7}",
        "edition", "published", "written", "deleted"
    )?;
    for (place, edition) in editions.iter().enumerate() {
        let at = edition.published_at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z");
        let mut notes = Vec::new();
        notes.extend((place == 0 && !is_unfinished).then(|| "what is on the site now".to_owned()));
        notes.extend(edition.same_as.map(|same| format!("edition {same} again")));
        let line = format!(
            "{:>7}  {at:<20}  {:>7}  {:>7}  {}",
            edition.number,
            edition.written(),
            edition.deleted(),
            notes.join("; ")
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
