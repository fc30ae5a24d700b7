//! `deloton extract`: the tables that analysts open, as files.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    output::{Output, Progress, Unit},
    words::counted,
};
use crate::{
    app::{App, Extract},
    config::settings::Location,
    jobs::extract::Which,
};

/// What the database may hold in memory where nothing but an extract is made: it reads much and keeps little.
pub const MEMORY_LIMIT: &str = "600MB";

/// Write the tables that analysts open as CSV and Parquet: what is new or has changed since they were written last. The job
/// `extract` does so by itself.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct ExtractArgs {
    /// The files of this day in any case; it has to be sealed.
    #[arg(long, value_name = "DATE", conflicts_with = "all")]
    pub day: Option<NaiveDate>,

    /// All files in any case.
    #[arg(long)]
    pub all: bool,

    /// Where to, in place of `--extracts`: a folder or `s3://bucket/prefix`. What is erased later goes from the place that
    /// `--extracts` names; here, with the same command once more.
    #[arg(long, value_name = "DIR|S3")]
    pub to: Option<Location>,

    /// Once more in the folder `personal`, with names, addresses and birth dates. The next extract without this deletes it.
    #[arg(long)]
    pub include_personal: bool,
}

/// Writes them and says how many files that were.
///
/// # Errors
/// When the day is not sealed, or something cannot be read or written.
pub fn extract(args: &ExtractArgs, app: &App, out: &mut dyn Output) -> anyhow::Result<()> {
    let extract = Extract {
        which: match args.day {
            Some(day) => Which::Day(day),
            None if args.all => Which::All,
            None => Which::Changed,
        },
        to: args.to.clone(),
        include_personal: args.include_personal,
    };
    let status = app.extract(&extract, &mut |done, all, at| {
        let (unit, at) = (Unit::Files, at.to_owned());
        out.progress(Progress { done, all, unit, at });
        // Whoever asked through a server and has gone away wants no further file.
        out.flush()
    })?;
    let place = extract.to.clone().unwrap_or_else(|| app.settings.extracts());
    let count = |name: &str| status.counts.get(name).copied().unwrap_or(0);
    let late_days = app.store.late_days()?;
    if status.nothing_to_do {
        let unchanged = counted(count("files_unchanged"), "file");
        writeln!(
            out,
            "nothing is new since the last extract: {unchanged} in `{place}` as they were"
        )?;
        return say_late(&late_days, out);
    }
    writeln!(
        out,
        "{} written ({}), {} unchanged, {} deleted, in `{place}`",
        counted(count("files_written"), "file"),
        counted(count("rows"), "row"),
        count("files_unchanged"),
        count("files_deleted"),
    )?;
    // Into a bucket there are no such files with it either.
    if matches!(place, Location::Directory(_))
        && let Some(reason) = app.without_hyper()
    {
        writeln!(out, "{reason}")?;
    }
    say_late(&late_days, out)
}

/// Which sealed days have changed since: the extracts have them as they were sealed.
fn say_late(days: &BTreeSet<NaiveDate>, out: &mut dyn Output) -> anyhow::Result<()> {
    for day in days {
        writeln!(
            out,
            "{day} has changed since it was sealed, as by rides that came late, and what has is in no extract until it is sealed \
             again: a server does so, or `deloton run extract --day {day}`"
        )?;
    }
    Ok(())
}
