//! `deloton erase`: a ride, or a rider with all their rides, from everywhere and for good.

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    output::{Output, Progress, Unit},
    words::counted,
};
use crate::{
    app::App,
    domain::erasure::{Erased, Erasure, IfAbsent, Subject},
    jobs::erase::{Finished, Rewriting},
    store::{backup, disk},
};

/// Erase a ride, or a rider with all their rides, from everywhere and for good: tables, lake, exported files, extracts, mails,
/// rejected lines, what the site keeps of older editions, and the bytes in the database's file. The days they were in are made again,
/// and nobody is mailed. Reading the log again does not bring them back.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[group(required = true, multiple = false)]
pub struct EraseArgs {
    /// The rider: all they have ridden by now, and who they are.
    #[arg(long, value_name = "RIDER")]
    pub rider: Option<i64>,

    /// The ride.
    #[arg(long, value_name = "RIDE")]
    pub ride: Option<Uuid>,

    /// Show what was erased, by whom, and what is not finished.
    #[arg(long)]
    pub list: bool,
}

/// Who asks for it, in the list of what was erased.
const COMMAND_LINE: &str = "command line";

/// Does it, and says what went where.
///
/// # Errors
/// When there is nothing of it, the store cannot be read or written, or a day cannot be made again.
pub fn erase(args: &EraseArgs, app: &App, out: &mut dyn Output) -> anyhow::Result<()> {
    let subject = match (args.ride, args.rider) {
        (Some(ride_id), _) => Subject::Ride(ride_id),
        (None, Some(rider_id)) => Subject::Rider(rider_id),
        (None, None) => return list(&app.store.erasures()?, out),
    };
    let unfinished = app.store.unfinished_erasures()?;
    let begun = unfinished.into_iter().find(|erasure| erasure.subject == subject);
    let if_absent = if begun.is_some() {
        IfAbsent::Refuse
    } else {
        IfAbsent::Bury
    };
    let erased = app.erase(subject, COMMAND_LINE, if_absent)?;
    match (&erased, &begun) {
        (None, _) => writeln!(out, "{subject} was erased before, and that is gone on with")?,
        (Some(erasure), _) if erasure.erased == Erased::default() => writeln!(
            out,
            "there is nothing of {subject} here; what is told of it later, but was ridden before now, is not kept"
        )?,
        (Some(_), _) => writeln!(out, "{subject} is erased")?,
    }
    let erasure = erased.or(begun).with_context(|| format!("{subject} was not erased"))?;
    tell(&erasure.erased, out)?;
    let finished = app.end_erasures(Rewriting::Now, &mut |done, all, day| {
        let (done, all) = (done as u64, all as u64);
        let (unit, at) = (Unit::Runs, day.to_string());
        out.progress(Progress { done, all, unit, at });
        // Whoever asked through a server and has gone away leaves the rest to it.
        out.flush()
    })?;
    if !finished
        .erasures
        .iter()
        .any(|other| other.erasure_id == erasure.erasure_id)
    {
        bail!(
            "it is not gone from everywhere yet, as what is made of its days is still being made; `deloton serve` goes on \
             with it, or erasing something else does, and `deloton erase --list` shows how it stands"
        );
    }
    tell_end(&erasure, &finished, out)?;
    let copies = backup::copies(&app.store)?;
    if !copies.is_empty() {
        let names: Vec<_> = copies.iter().map(|path| format!("`{}`", path.display())).collect();
        writeln!(
            out,
            "  perhaps in      {}, which are from before: deleting what may not have it is yours",
            names.join(", ")
        )?;
    }
    Ok(())
}

/// What went at once.
fn tell(erased: &Erased, out: &mut dyn Output) -> std::io::Result<()> {
    let Erased {
        rides,
        readings,
        alerts,
        descriptions,
        limits,
        messages,
        rejected_lines,
        mail_files,
        ride_files,
    } = *erased;
    let some = |counts: &[(i64, &str)]| {
        let words: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| counted(count.unsigned_abs(), what))
            .collect();
        if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.join(", ")
        }
    };
    let rows = [
        (rides, "ride"),
        (readings, "reading"),
        (alerts, "alert"),
        (descriptions, "description"),
        (limits, "limit"),
        (messages, "message"),
        (rejected_lines, "rejected line"),
    ];
    writeln!(out, "  from tables     {}", some(&rows))?;
    let files = [(mail_files, "mail"), (ride_files, "ride file")];
    writeln!(out, "  from folders    {}", some(&files))
}

fn tell_end(erasure: &Erasure, finished: &Finished, out: &mut dyn Output) -> std::io::Result<()> {
    let days: Vec<_> = erasure.days.iter().map(ToString::to_string).collect();
    if !days.is_empty() {
        writeln!(out, "  made again      {}", days.join(", "))?;
    }
    if finished.editions > 0 {
        writeln!(out, "  from the site   {}", counted(finished.editions, "older edition"))?;
    }
    if let Some(rewritten) = finished.rewritten {
        let (before, after) = (disk::size(rewritten.before), disk::size(rewritten.after));
        writeln!(out, "  database file   written anew: {after}, {before} before")?;
    }
    Ok(())
}

fn list(erasures: &[Erasure], out: &mut dyn Output) -> anyhow::Result<()> {
    if erasures.is_empty() {
        writeln!(out, "nothing was ever erased")?;
    }
    for erasure in erasures {
        let Erasure {
            subject,
            erased_at,
            asked_by,
            erased,
            finished_at,
            ..
        } = erasure;
        let state = match finished_at {
            Some(_) => "nothing of it is left".to_owned(),
            None => "not finished: `deloton serve` does, or erasing something else".to_owned(),
        };
        writeln!(
            out,
            "{}  {subject:<42} {} by {asked_by}; {state}",
            erased_at.format("%Y-%m-%d %H:%M:%SZ"),
            counted(erased.rides.unsigned_abs(), "ride")
        )?;
    }
    Ok(())
}
