//! `deloton rejected`: lines that could not be understood.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::words::printable;
use crate::store::Store;

/// Look at lines that could not be understood.
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
    },
}

/// Does it.
///
/// # Errors
/// When there is no such line.
pub fn rejected(args: &RejectedArgs, store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    match args.action {
        Action::List { limit } => {
            let lines = store.rejected(limit)?;
            for line in &lines {
                writeln!(
                    out,
                    "{} UTC  {} partition {} offset {}  {}",
                    line.received_at,
                    printable(line.topic.as_bytes()),
                    line.partition,
                    line.offset,
                    line.reason
                )?;
            }
            if lines.is_empty() {
                writeln!(out, "no lines were set aside")?;
            }
        }
        Action::Show { partition, offset } => {
            let lines = store.rejected_raw(partition, offset)?;
            if lines.is_empty() {
                bail!(
                    "no line of partition {partition} was set aside at offset {offset}; `deloton rejected list` shows them"
                );
            }
            for (topic, raw, reason) in lines {
                writeln!(out, "{}: {reason}\n{}", printable(topic.as_bytes()), printable(&raw))?;
            }
        }
    }
    Ok(())
}
