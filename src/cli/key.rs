//! `deloton key`: the API's keys.

use std::{io::Write, str::FromStr};

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::{
    config::schedule::parse_duration,
    domain::access::Role,
    store::{Store, api_key::ApiKey},
};

/// Look after keys.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with keys.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// Make a key and print it. It is shown this once: only a hash of it is kept.
    New {
        /// What it may do: `viewer` (counts, and who rides by pseudonyms), `analyst` (rides and riders without who they are),
        /// `admin` (everything).
        #[arg(long)]
        role: Role,
        /// What it is for.
        #[arg(long, value_parser = printable)]
        name: Option<String>,
        /// How long it is good for: `90d`, `12h`. Default: until it is revoked.
        #[arg(long, value_name = "SPAN")]
        expires: Option<Span>,
    },
    /// List the keys, those that have ended too.
    List,
    /// Refuse a key from now on.
    Revoke {
        /// Its id, as `list` shows it.
        key_id: String,
    },
    /// Make a key in place of another, of the same role and for as long, and print it. The other one goes on for a while.
    Rotate {
        /// The other's id, as `list` shows it.
        key_id: String,
        /// How long the other one goes on.
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
    },
}

/// How long something goes on, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(i64);

impl Span {
    fn delta(self) -> TimeDelta {
        TimeDelta::seconds(self.0)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_duration(text).map(|span| Span(span.num_seconds()))
    }
}

/// A name that a list can be written with.
fn printable(name: &str) -> Result<String, String> {
    match name.contains(char::is_control) {
        true => Err("it has a character that cannot be printed".to_owned()),
        false => Ok(name.to_owned()),
    }
}

/// Does it.
///
/// # Errors
/// When there is no such key, or the store cannot be written.
pub fn key(args: &KeyArgs, store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.action {
        Action::New { role, name, expires } => {
            let expires_at = expires.map(|span| store.clock().now() + span.delta());
            let (key, text) = store.new_api_key(*role, name.clone(), expires_at)?;
            print(&key, &text, out)?;
        }
        Action::Rotate { key_id, overlap } => {
            let Some((key, text)) = store.rotate_api_key(key_id, overlap.delta())? else {
                bail!(
                    "no key `{key_id}` may still be used; `deloton key list` shows them, `deloton key new` makes another"
                );
            };
            print(&key, &text, out)?;
            writeln!(
                out,
                "key {key_id} is good until {}",
                day(store.clock().now() + overlap.delta())
            )?;
        }
        Action::Revoke { key_id } => {
            if !store.revoke_api_key(key_id)? {
                bail!("there is no key `{key_id}` that was not revoked before; `deloton key list` shows them");
            }
            writeln!(out, "key {key_id} is refused from now on")?;
            if !store.api_keys().are_needed() {
                writeln!(
                    out,
                    "no key is left: a server that listens on loopback takes everybody on this machine for an administrator"
                )?;
            }
        }
        Action::List => list(store, out)?,
    }
    Ok(())
}

fn print(key: &ApiKey, text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{text}")?;
    let ends = key
        .expires_at
        .map_or_else(String::new, |at| format!(" until {}", day(at)));
    // Beside what is answered, so that a script may take that for the key.
    eprintln!("key {}, role {}{ends}; it is not shown again", key.key_id, key.role);
    Ok(())
}

fn list(store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let (keys, now) = (store.api_keys(), store.clock().now());
    let keys = keys.list();
    if keys.is_empty() {
        writeln!(out, "there are no keys; `deloton key new --role admin` makes one")?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<8}  {:<7}  {:<20}  {:<20}  name",
        "id", "role", "stands", "last used"
    )?;
    for key in keys {
        let stands = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", date(at)),
            (_, Some(at)) if at <= now => format!("expired {}", date(at)),
            (_, Some(at)) => format!("until {}", date(at)),
            _ => "good".to_owned(),
        };
        let last_used = key.last_used_at.map_or_else(|| "never".to_owned(), day);
        let name = key.name.as_deref().unwrap_or("–");
        writeln!(
            out,
            "{:<8}  {:<7}  {stands:<20}  {last_used:<20}  {name}",
            key.key_id,
            key.role.name()
        )?;
    }
    Ok(())
}

fn day(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn date(at: DateTime<Utc>) -> String {
    at.date_naive().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::query::fixture;

    fn said(store: &Store, action: Action) -> anyhow::Result<String> {
        let mut out = Vec::new();
        key(&KeyArgs { action }, store, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn a_key_is_printed_once_listed_rotated_and_revoked() {
        let (_folder, store) = fixture::store();
        assert!(
            said(&store, Action::List)
                .unwrap()
                .contains("deloton key new --role admin")
        );
        let new = Action::New {
            role: Role::Analyst,
            name: Some("Tableau".to_owned()),
            expires: Some("90d".parse().unwrap()),
        };
        let printed = said(&store, new).unwrap();
        let text = printed.lines().next().unwrap();
        let now = store.clock().now();
        let key_id = store.api_keys().find(text, now).unwrap().key_id.clone();
        let listed = said(&store, Action::List).unwrap();
        assert!(
            listed.contains("Tableau") && listed.contains("until 2027-02-20"),
            "{listed}"
        );
        assert!(!listed.contains(text), "it is not shown again");
        let rotate = Action::Rotate {
            key_id: key_id.clone(),
            overlap: "1h".parse().unwrap(),
        };
        let rotated = said(&store, rotate).unwrap();
        assert!(rotated.contains("is good until 2026-11-22T16:00:00Z"), "{rotated}");
        let revoke = |key_id: &str| {
            let key_id = key_id.to_owned();
            said(&store, Action::Revoke { key_id })
        };
        revoke(&key_id).unwrap();
        assert!(revoke(&key_id).unwrap_err().to_string().contains("deloton key list"));
        let other = store
            .api_keys()
            .find(rotated.lines().next().unwrap(), now)
            .unwrap()
            .key_id
            .clone();
        assert!(revoke(&other).unwrap().contains("no key is left"));
    }
}
