//! `deloton rejected`: lines that could not be understood.

use std::io::Write;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::words::{counted, printable, shortened};
use crate::{
    app::App,
    domain::batch::Replayed,
    store::{
        Store,
        rejected::{Rejected, RejectedFilter},
    },
};

/// Look at lines that could not be understood, and read them once more.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct RejectedArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with rejected lines.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// List them with their reasons, the newest first.
    List {
        /// Only those of this topic or file.
        #[arg(long)]
        topic: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Print one, with control characters spelt out. It may hold personal data.
    Show {
        /// Its partition; 0 in a file.
        partition: i32,
        /// Its offset; in a file the lines before it.
        offset: i64,
        /// Only that of this topic or file.
        #[arg(long)]
        topic: Option<String>,
    },
    /// Read them once more, after an upgrade or a changed setting, and put those that can be read by now where they belong.
    Replay {
        /// Only those of this topic or file.
        #[arg(long)]
        topic: Option<String>,
    },
}

/// Does it.
///
/// # Errors
/// When there is no such line, or the store cannot be written.
pub fn rejected(args: &RejectedArgs, app: &App, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.action {
        Action::List { topic, limit } => list(&app.store, topic.clone(), *limit, out),
        Action::Show {
            partition,
            offset,
            topic,
        } => show(&app.store, (*partition, *offset), topic.as_deref(), out),
        Action::Replay { topic } => {
            let replayed = app
                .replay_rejected(topic.as_deref())
                .context("not every rejected line was replayed; those that were are in place, so do it again")?;
            tell(&replayed, out)
        }
    }
}

fn list(store: &Store, topic: Option<String>, limit: u32, out: &mut dyn Write) -> anyhow::Result<()> {
    let filter = RejectedFilter {
        topic,
        ..RejectedFilter::default()
    };
    let lines = store.rejected(&filter, limit)?;
    for line in &lines {
        writeln!(
            out,
            "{} UTC  {} partition {} offset {}  {} ({})",
            line.received_at.format("%Y-%m-%d %H:%M:%S"),
            brief(&printable(line.topic.as_bytes())),
            line.partition,
            line.offset,
            brief(&line.reason),
            brief(&bike(line))
        )?;
    }
    if lines.is_empty() {
        writeln!(out, "no lines were set aside")?;
    }
    Ok(())
}

/// What of a text from outside is enough to know it in a list; `show` has all of it.
fn brief(text: &str) -> String {
    shortened(text, 160)
}

fn show(
    store: &Store,
    (partition, offset): (i32, i64),
    topic: Option<&str>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut lines = store.rejected_at(partition, offset)?;
    lines.retain(|(line, _)| topic.is_none_or(|topic| line.topic == topic));
    if lines.is_empty() {
        bail!("no line of partition {partition} was set aside at offset {offset}; `deloton rejected list` shows them");
    }
    for (line, raw) in lines {
        writeln!(
            out,
            "{}, {}: {}\n{}",
            printable(line.topic.as_bytes()),
            bike(&line),
            line.reason,
            printable(&raw)
        )?;
    }
    Ok(())
}

fn bike(line: &Rejected) -> String {
    match &line.bike_serial {
        Some(serial) => format!("bike {}", printable(serial.as_bytes())),
        None => "bike not known".to_owned(),
    }
}

fn tell(replayed: &Replayed, out: &mut dyn Write) -> anyhow::Result<()> {
    let count = |count: i64, thing: &str| counted(count.unsigned_abs(), thing);
    let Replayed {
        counts,
        completed_readings,
        refused,
        days,
    } = replayed;
    if (counts.messages, *refused) == (0, 0) {
        writeln!(out, "no lines were set aside")?;
        return Ok(());
    }
    writeln!(
        out,
        "{} put in place: {} that were missing, {} completed, {}",
        count(counts.messages, "line"),
        count(counts.readings, "reading"),
        count(*completed_readings, "reading"),
        count(counts.duplicate_lines, "duplicate line"),
    )?;
    if *refused > 0 {
        let still = if *refused == 1 { "stays" } else { "stay" };
        writeln!(
            out,
            "{} {still} rejected; `deloton rejected list` says why",
            count(*refused, "line")
        )?;
    }
    for day in days {
        writeln!(
            out,
            "{day} was sealed before and has changed: the schedule seals it again, or `deloton run report --day {day}`"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_list_cuts_what_a_line_makes_long() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::System).unwrap();
        let line = "insert into daily.rejected_line (source, topic, partition, \"offset\", received_at, raw, reason)
            values ('file', 'capture.jsonl', 0, 7, now(), 'x', 'no such key `' || repeat('é', 20092) || '`')";
        store.connection().unwrap().execute_batch(line).unwrap();
        let written = |write: &dyn Fn(&mut dyn Write) -> anyhow::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let listed = written(&|out| list(&store, None, 50, out));
        assert!(
            listed.contains("no such key `éé") && listed.contains("é… (bike not known)"),
            "{listed}"
        );
        assert!(listed.chars().count() < 300, "{listed}");
        let shown = written(&|out| show(&store, (0, 7), None, out));
        assert!(shown.contains(&"é".repeat(20_092)));
    }
}
