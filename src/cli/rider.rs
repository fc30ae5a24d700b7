//! `deloton rider`: what is settled for single riders.

use std::{fmt, io::Write, str::FromStr};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{
    domain::heart_rate::OwnLimits,
    store::{Store, query},
};

/// Settle things for a rider.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct RiderArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do for a rider.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// Set, show or clear a rider's own heart-rate limits, which win over those by age; `list` shows all there are. They
    /// hold at once, for a ride under way too.
    Limit(LimitArgs),
}

/// Whose limits, and which.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct LimitArgs {
    /// The rider, or `list`.
    pub rider: Who,
    /// Alert above this; what is not given stays.
    #[arg(long, value_name = "BPM", allow_negative_numbers = true)]
    pub upper: Option<i32>,
    /// Alert below this; what is not given stays.
    #[arg(long, value_name = "BPM", allow_negative_numbers = true)]
    pub lower: Option<i32>,
    /// Whether the rider wants mails about alerts.
    #[arg(long, value_enum)]
    pub mails: Option<Mails>,
    /// As for everybody again.
    #[arg(long, conflicts_with_all = ["upper", "lower", "mails"])]
    pub clear: bool,
}

/// Whose limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Of every rider for whom something is settled.
    List,
    /// Of this rider.
    Rider(i64),
}

/// Whether a rider wants mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Mails {
    /// Yes.
    On,
    /// No: alerts are recorded and shown, nothing else.
    Off,
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "list" => Ok(Who::List),
            number => number
                .parse()
                .map(Who::Rider)
                .map_err(|_| "expected a rider's number, or `list`".to_owned()),
        }
    }
}

/// Does it.
///
/// # Errors
/// When the limits cannot be meant, or the store cannot be written.
pub fn rider(args: &RiderArgs, store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let Action::Limit(args) = &args.action;
    let settled = store.rider_limits();
    let is_change = args.clear || args.upper.is_some() || args.lower.is_some() || args.mails.is_some();
    let rider_id = match args.rider {
        Who::Rider(rider_id) => rider_id,
        Who::List if is_change => bail!("name one rider: `deloton rider limit 306 --upper 165`"),
        Who::List => {
            let mut settled: Vec<_> = settled.iter().collect();
            settled.sort_by_key(|(rider_id, _)| **rider_id);
            for (rider_id, own) in &settled {
                writeln!(out, "rider {rider_id}: {}", Words(**own))?;
            }
            if settled.is_empty() {
                writeln!(out, "no rider has limits of their own")?;
            }
            return Ok(());
        }
    };
    if args.clear {
        if !store.clear_rider_limits(rider_id)? {
            bail!("nothing is settled for rider {rider_id}; `deloton rider limit list` shows for whom something is");
        }
        writeln!(out, "rider {rider_id}: as for everybody")?;
        return Ok(());
    }
    let mut own = settled.get(&rider_id).copied().unwrap_or_default();
    if is_change {
        own.upper_bpm = args.upper.or(own.upper_bpm);
        own.lower_bpm = args.lower.or(own.lower_bpm);
        own.is_mailed = args.mails.map_or(own.is_mailed, |mails| mails == Mails::On);
        own.check()
            .map_err(|wrong| anyhow::anyhow!("rider {rider_id}: {wrong}"))?;
        store.set_rider_limits(rider_id, own)?;
    }
    writeln!(out, "rider {rider_id}: {}", Words(own))?;
    if is_change && query::rider(store, rider_id)?.is_none() {
        writeln!(
            out,
            "no bike has told of this rider yet; it holds from their first ride on"
        )?;
    }
    Ok(())
}

/// Limits in words.
struct Words(OwnLimits);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnLimits {
            lower_bpm,
            upper_bpm,
            is_mailed,
        } = self.0;
        let side = |bpm: Option<i32>| bpm.map_or_else(|| "as for everybody".to_owned(), |bpm| format!("{bpm} bpm"));
        write!(f, "upper {}, lower {}", side(upper_bpm), side(lower_bpm))?;
        if is_mailed { Ok(()) } else { f.write_str(", no mail") }
    }
}
