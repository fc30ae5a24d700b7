//! `deloton import`: what other systems recorded.

use std::{collections::HashMap, io::Write, path::PathBuf};

use anyhow::{Context, bail};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::words::{counted, grouped, printable, shortened};
use crate::{
    app::App,
    peloton::{self, Unsaid},
    store::workout::TakenIn,
};

/// Take in what other systems recorded.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct ImportArgs {
    /// What to take in.
    #[command(subcommand)]
    pub action: Action,
}

/// What to take in, or out again.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// Take in Peloton workouts: the CSV that the members' site offers under “Download Workouts”, that of the older system
    /// (`workout_id,date,…`), or saved answers of the API, performance graphs too. Doing it again changes nothing.
    Peloton(PelotonArgs),
    /// Delete workouts, from the daily files too; they stay deleted whatever is taken in later. Or all that is known of a
    /// rider's, and that there were any.
    Forget {
        /// Their ids, as `/api/v1/workouts` has them.
        #[arg(required_unless_present = "rider", value_name = "WORKOUT_ID")]
        workouts: Vec<Uuid>,
        /// Everything of this rider.
        #[arg(long, value_name = "NAME", value_parser = rider_name, conflicts_with = "workouts")]
        rider: Option<String>,
    },
}

/// Which files, and what they do not say.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct PelotonArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Whose workouts they are. The older system's files name their riders themselves.
    #[arg(long, value_name = "NAME", value_parser = rider_name)]
    pub rider: Option<String>,
    /// The rider's zone, `America/New_York`: it wins over letters like `EST`, which do not tell summer from winter.
    /// Default: the one that the letters mean, and where there are none, that of the company's day.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<Tz>,
}

fn rider_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a name".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// Does it.
///
/// # Errors
/// When a file cannot be read or is of no known kind; the others are taken in all the same. When the store cannot be
/// written.
pub fn import(args: &ImportArgs, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.action {
        Action::Peloton(args) => take_in(args, app, out),
        Action::Forget { rider: Some(rider), .. } => forget_rider(rider, app, out),
        Action::Forget { workouts, .. } => forget(workouts, app, out),
    }
}

fn take_in(args: &PelotonArgs, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    let unsaid = Unsaid {
        rider_name: args.rider.as_deref(),
        timezone: args.timezone,
        fallback: app.schedule().day.timezone,
        now: app.clock.now(),
    };
    let mut failed = Vec::new();
    for path in &args.files {
        let name = printable(path.to_string_lossy().as_bytes());
        let read = || -> anyhow::Result<_> {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read `{name}`"))?;
            peloton::read(&bytes, &unsaid).with_context(|| format!("cannot take in `{name}`"))
        };
        let mut told = match read() {
            Ok(told) => told,
            Err(error) => {
                failed.push(format!("{error:#}"));
                continue;
            }
        };
        let stored = match &args.rider {
            Some(rider) if !told.courses.is_empty() => app.store.workouts_by_peloton_id(rider)?,
            _ => HashMap::new(),
        };
        let courses = told.join_courses(&stored);
        let taken = app.store.take_in_workouts(&told.workouts, &courses, None)?;
        let rows = told.workouts.len() + told.rejected.len();
        writeln!(
            out,
            "{name}: {}: {}",
            counted(rows as u64, "row"),
            words(&taken, told.rejected.len())
        )?;
        for remark in &told.remarks {
            writeln!(out, "  {}", shortened(&printable(remark.as_bytes()), 400))?;
        }
        if taken.of_others > 0 {
            writeln!(
                out,
                "  what is of another rider by its id at Peloton stays theirs: look whose file it is, or delete what is \
                 stored with `deloton import forget --rider NAME`"
            )?;
        }
        if rows > 0 && told.workouts.is_empty() {
            failed.push(format!("nothing of `{name}` could be taken in"));
        }
        for rejected in &told.rejected {
            let reason = shortened(&printable(rejected.reason.as_bytes()), 200);
            writeln!(out, "  {}: {reason}", rejected.place)?;
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

fn words(taken: &TakenIn, rejected: usize) -> String {
    let deleted = match taken.deleted {
        0 => String::new(),
        deleted => format!(", {} deleted before and left so", grouped(deleted)),
    };
    let of_others = match taken.of_others {
        0 => String::new(),
        of_others => format!(", {} of another rider and left out", grouped(of_others)),
    };
    format!(
        "{} new, {} changed, {} unchanged{deleted}{of_others}, {} rejected",
        grouped(taken.new),
        grouped(taken.changed),
        grouped(taken.unchanged),
        grouped(rejected as u64)
    )
}

fn forget(workouts: &[Uuid], app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for workout in workouts {
        if app.delete_workout(*workout)? {
            writeln!(out, "workout {workout} is deleted, and stays so")?;
        } else {
            missing.push(workout.to_string());
        }
    }
    app.extract_again()?;
    if !missing.is_empty() {
        bail!(
            "there is no workout {}; `/api/v1/workouts` lists them",
            missing.join(", ")
        );
    }
    Ok(())
}

fn forget_rider(rider: &str, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    let deleted = app.forget_workouts_of(rider)?;
    if deleted == 0 {
        bail!("no workout of {rider} is stored; `/api/v1/workouts` shows whose there are");
    }
    writeln!(
        out,
        "{} of {rider} deleted, from the daily files, the extracts and the site with its older editions too",
        counted(deleted, "workout")
    )?;
    if app
        .schedule()
        .peloton_accounts()
        .any(|account| account.rider_name.to_lowercase() == rider.to_lowercase())
    {
        writeln!(
            out,
            "cron.toml still names the account of {rider}: take it out, or the next run fetches them again"
        )?;
    }
    Ok(())
}
