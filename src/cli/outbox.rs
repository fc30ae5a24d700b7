//! `deloton outbox`: the send ledger in a person's hands.

use std::{io::Write, path::Path};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::message::MessageKind,
    store::{
        Store, mail_reader,
        outbox::{self, Mail, MailState},
    },
};

/// Look after mails.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct OutboxArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with mails.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Action {
    /// List mails, the newest first.
    List {
        /// Only those that are waiting, sending, sent, dead, unknown or discarded.
        #[arg(long)]
        state: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Print a mail as it was or will be sent.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Send a mail again that failed or is not known to have arrived.
    Resend {
        /// Its id.
        id: Uuid,
        /// Also one that was sent, which then arrives twice, or was given up.
        #[arg(long)]
        again: bool,
    },
    /// Give up a mail for good.
    Discard {
        /// Its id.
        id: Uuid,
    },
    /// List who unsubscribed from all notices, and since when.
    Unsubscribed,
    /// Send no more notices to an address, as its owner asked for.
    Unsubscribe {
        /// The address.
        address: String,
    },
    /// Send notices to an address again.
    Resubscribe {
        /// The address.
        address: String,
    },
}

/// Does it.
///
/// # Errors
/// When there is no such mail, or it is in a state where that cannot be done.
pub fn outbox(args: &OutboxArgs, store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let connection = store.connection()?;
    match &args.action {
        Action::List { state, limit } => {
            let state = match state {
                Some(name) => match MailState::from_name(name) {
                    Some(state) => Some(state),
                    None => bail!(
                        "`{name}` is no state of a mail; there are waiting, sending, sent, dead, unknown, discarded"
                    ),
                },
                None => None,
            };
            let mails = outbox::list(&connection, state, *limit)?;
            for mail in &mails {
                let detail = mail.detail.as_deref().unwrap_or_default();
                let gone = if is_lost_file(mail, store.data_dir()) {
                    " (no longer there; `show` prints the mail)"
                } else {
                    ""
                };
                writeln!(
                    out,
                    "{}  {:<9}  {:<16}  {:<12}  {}  {}  {detail}{gone}",
                    mail.message_id,
                    mail.state.name(),
                    mail.kind,
                    mail.topic,
                    mail.recipient,
                    mail.created_at.format("%Y-%m-%d %H:%M UTC"),
                )?;
            }
            if mails.is_empty() {
                writeln!(out, "no mails")?;
            } else if mails.len() == *limit as usize {
                writeln!(
                    out,
                    "These are the newest {limit}; `--limit` shows more, `--state` those of one state."
                )?;
            }
        }
        Action::Show { id } => match outbox::get(&connection, *id)? {
            Some((_, payload)) => out.write_all(&payload)?,
            None => bail!("there is no mail {id}; `deloton outbox list` shows what there is"),
        },
        Action::Resend { id, again } => {
            let Some((mail, _)) = outbox::get(&connection, *id)? else {
                bail!("there is no mail {id}; `deloton outbox list` shows what there is");
            };
            if !again && mail.state == MailState::Sent {
                bail!("mail {id} was sent; with `--again` it is sent a second time");
            }
            if !again && mail.state == MailState::Discarded {
                bail!("mail {id} was given up; with `--again` it is sent all the same");
            }
            let mut notices = MessageKind::MAILS.into_iter().filter(|kind| kind.is_notice());
            if notices.any(|kind| kind.name() == mail.kind)
                && mail_reader::is_unsubscribed(&connection, &mail.recipient)?
            {
                bail!(
                    "mail {id} is a notice to somebody who has unsubscribed; `deloton outbox resubscribe` takes that back \
                     where they ask for it"
                );
            }
            if !outbox::resend(&connection, *id)? {
                bail!("mail {id} is being sent right now");
            }
            writeln!(out, "mail {id} waits again")?;
        }
        Action::Discard { id } => {
            if !outbox::discard(&connection, *id, store.clock().now())? {
                bail!("mail {id} is not there, was sent, or is being sent right now");
            }
            writeln!(out, "mail {id} is given up")?;
        }
        Action::Unsubscribed => {
            let readers = mail_reader::unsubscribed(&connection)?;
            for reader in &readers {
                let since = reader.unsubscribed_at.unwrap_or_default();
                writeln!(out, "{}  {}", since.format("%Y-%m-%d %H:%M UTC"), reader.address)?;
            }
            if readers.is_empty() {
                writeln!(out, "nobody unsubscribed")?;
            }
        }
        Action::Unsubscribe { address } => {
            if !address.contains('@') {
                bail!("`{address}` is no mail address");
            }
            if mail_reader::unsubscribe(&connection, address, store.clock().now())? {
                writeln!(out, "no more notices go to {address}; what waits for it is discarded")?;
            } else {
                writeln!(out, "{address} had unsubscribed already")?;
            }
        }
        Action::Resubscribe { address } => {
            if !mail_reader::resubscribe(&connection, address)? {
                bail!("{address} had not unsubscribed; `deloton outbox unsubscribed` lists who has");
            }
            writeln!(out, "notices go to {address} again")?;
        }
    }
    Ok(())
}

/// Whether a mail went into a file that has been deleted since, or that a restore did not bring back. Its path may be
/// relative to another folder than this process's, so it is looked for in the data folder.
fn is_lost_file(mail: &Mail, data_dir: &Path) -> bool {
    let file = mail.detail.as_deref().filter(|detail| detail.ends_with(".eml"));
    let below = file.and_then(|file| file.rfind("outbox/").map(|at| data_dir.join(&file[at..])));
    mail.state == MailState::Sent && below.is_some_and(|file| !file.exists())
}
