//! `deloton alerts`: heart-rate alerts as they were raised, and as another rule would have raised them.

use std::io::Write;

use anyhow::{Context, bail};
use chrono::{Days, NaiveDate};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::words::{counted, date, grouped};
use crate::{
    domain::heart_rate::{AlertRule, Formula, Trial},
    store::{
        Store,
        heart_rates::HeartRates,
        query::{self, AlertFilter},
    },
};

/// Look at heart-rate alerts, and try other rules on rides that are over.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct AlertsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with alerts.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// List alerts, the newest first, with what became of their mails.
    List {
        /// Only those of rides that ended in this business day.
        #[arg(long, value_name = "DATE", value_parser = date)]
        day: Option<NaiveDate>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show what the rule would have raised, what each formula would have, and what other numbers would have. Nothing is
    /// raised and nobody is mailed.
    Backtest(BacktestArgs),
}

/// Which days and which rule.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct BacktestArgs {
    /// First business day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub from: NaiveDate,
    /// Last business day; the first unless given.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub to: Option<NaiveDate>,
    /// Another number, as `[heart_rate]` in cron.toml names it, e.g. `seconds=15`; repeatable, all tried together.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// Does it.
///
/// # Errors
/// When something cannot be read, or what is to be tried is no rule.
pub fn alerts(args: &AlertsArgs, store: &Store, rule: &AlertRule, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.action {
        Action::List { day, limit } => list(store, *day, *limit, out),
        Action::Backtest(args) => backtest(args, store, rule, out),
    }
}

fn list(store: &Store, day: Option<NaiveDate>, limit: u32, out: &mut dyn Write) -> anyhow::Result<()> {
    let filter = AlertFilter {
        day,
        ..AlertFilter::default()
    };
    let alerts = query::alerts(store, &filter, limit)?;
    for alert in &alerts {
        let (beyond, mail) = (
            if alert.direction == "high" { "above" } else { "below" },
            alert.mail_state.as_deref().map_or("not mailed", |state| match state {
                "sent" => "mailed",
                "waiting" | "sending" => "mail waits",
                other => other,
            }),
        );
        writeln!(
            out,
            "{} UTC  rider {:<8}  {:>3} bpm for {} s, {beyond} {} bpm ({}), level {}  {mail}  ride {} second {}",
            alert.raised_at.format("%Y-%m-%d %H:%M:%S"),
            alert.rider_id,
            alert.heart_rate_bpm,
            alert.sustained_seconds,
            alert.limit_bpm,
            alert.limit_source,
            alert.level,
            alert.ride_id,
            alert.second
        )?;
    }
    if alerts.is_empty() {
        writeln!(out, "no alerts were raised")?;
    }
    Ok(())
}

/// The rules to try, with what the table calls them.
fn trials(rule: &AlertRule, set: &[String]) -> anyhow::Result<Vec<(String, Trial)>> {
    let mut trials = vec![("as configured".to_owned(), Trial::new(*rule))];
    for formula in Formula::ALL {
        trials.push((formula.name().to_owned(), Trial::new(AlertRule { formula, ..*rule })));
    }
    if !set.is_empty() {
        let mut changed = *rule;
        for pair in set {
            let (key, value) = pair
                .split_once('=')
                .with_context(|| format!("`--set {pair}`: expected NAME=VALUE, e.g. `--set seconds=15`"))?;
            changed
                .set(key.trim(), value)
                .map_err(|wrong| anyhow::anyhow!("`--set {pair}`: {wrong}"))?;
        }
        trials.push((set.join(" "), Trial::new(changed)));
    }
    Ok(trials)
}

fn backtest(args: &BacktestArgs, store: &Store, rule: &AlertRule, out: &mut dyn Write) -> anyhow::Result<()> {
    let (from, to) = (args.from, args.to.unwrap_or(args.from));
    if to < from {
        bail!("--to {to} is before --from {from}");
    }
    let mut trials = trials(rule, &args.set)?;
    let riders = store.rider_limits();
    let (mut rides, mut day) = (0, from);
    while day <= to {
        rides += store.heart_rates(day, |what| match what {
            HeartRates::Ride { rider_id, age, gender } => {
                let own = riders.get(&rider_id).copied().unwrap_or_default();
                for (_, trial) in &mut trials {
                    trial.begin(rider_id, trial.rule().limits(age, gender, own));
                }
            }
            HeartRates::Reading {
                second,
                heart_rate_bpm,
                is_dropout,
            } => {
                for (_, trial) in &mut trials {
                    trial.observe(second, heart_rate_bpm, is_dropout);
                }
            }
        })?;
        day = day + Days::new(1);
    }
    let width = trials.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    writeln!(
        out,
        "{from} to {to}: {} of known riders\n\n{:<width$}  {:>8}  {:>8}  {:>8}  {:>13}",
        counted(rides as u64, "ride"),
        "rule",
        "alerts",
        "riders",
        "rides",
        "sensor faults"
    )?;
    for (name, trial) in &trials {
        let tally = trial.tally();
        writeln!(
            out,
            "{name:<width$}  {:>8}  {:>8}  {:>8}  {:>13}",
            grouped(tally.alerts),
            grouped(tally.riders.len() as u64),
            grouped(tally.rides),
            grouped(tally.sensor_faults)
        )?;
    }
    writeln!(
        out,
        "\nA sensor fault: between the first reading outside the limit and the alert, contact was lost, or the heart rate \
         changed\nby more than {} bpm (`jump_bpm`) from one second to the next.",
        rule.jump_bpm
    )?;
    Ok(())
}
