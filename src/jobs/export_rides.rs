//! Tells other programs of rides that ended, from the send ledger.
//!
//! 1. Claim the oldest message of a kind that is due; from here on a crash shows, and it is sent again.
//! 2. Write the ride's files, or tell the topic or the webhook.
//! 3. Record what became of it.
//!
//! Files come first: whoever is told of a ride finds them. A service that cannot take more does not hold up the others.

use anyhow::{Result, bail};
use tokio::runtime::Handle;

use super::send::Turns;
use crate::{
    domain::{
        cancel::Cancel,
        heart_rate::AlertRule,
        message::{Envelope, MessageKind, SendError, SendReceipt},
        ride_ended::RideEnded,
        rider::age_at,
        run::JobStatus,
    },
    export::{Exporter, RideExport},
    store::{
        Store,
        outbox::{self, MailState, Settlement},
    },
};

/// Sends every message of a ride's end that is due.
///
/// # Errors
/// When one could not be sent, saying why; it is tried again, and all others were sent all the same. When the ledger cannot
/// be read or written, or the run was cancelled.
pub fn run(
    store: &Store,
    exporter: &Exporter,
    rule: &AlertRule,
    runtime: &Handle,
    cancel: &Cancel,
    turns: &Turns,
) -> Result<JobStatus> {
    let _turn = cancel.lock(&turns.rides)?;
    let left = outbox::recover_rides(&*store.connection()?, store.clock().now())?;
    if left > 0 {
        tracing::warn!(
            messages = left,
            "it could not be recorded what became of word of rides that ended; it is sent again"
        );
    }
    let mut status = JobStatus::done();
    let (mut sent, mut reasons) = (0, Vec::new());
    for kind in MessageKind::OF_RIDES {
        let (sent_of_kind, reason) = drain(store, exporter, rule, kind, runtime, cancel)?;
        sent += sent_of_kind;
        reasons.extend(reason);
        status = status.count(name_of(kind), sent_of_kind);
    }
    store.forget_ride_ends()?;
    if !reasons.is_empty() {
        bail!("not everyone was told of the rides that ended: {}", reasons.join("; "));
    }
    Ok(if sent == 0 { JobStatus::idle() } else { status })
}

fn name_of(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::RideCsv => "rides_exported",
        MessageKind::RideSns => "messages_published",
        _ => "webhooks_called",
    }
}

/// Sends what is due of one kind, until its service cannot take more; answers how many were sent, and why one was not.
fn drain(
    store: &Store,
    exporter: &Exporter,
    rule: &AlertRule,
    kind: MessageKind,
    runtime: &Handle,
    cancel: &Cancel,
) -> Result<(u64, Option<String>)> {
    let clock = store.clock();
    let (mut sent, mut last_reason) = (0, None);
    loop {
        cancel.check()?;
        let Some(envelope) = outbox::claim_of_ride(&*store.connection()?, kind, clock.now())? else {
            break;
        };
        let settlement = match deliver(store, exporter, rule, &envelope, runtime)? {
            Ok(receipt) => Settlement::Sent(receipt.reference),
            Err(SendError::Retry(reason) | SendError::Unknown(reason)) => Settlement::Retry(reason),
            Err(SendError::Dead(reason)) => Settlement::Dead(reason),
        };
        let state = outbox::settle(&*store.connection()?, &envelope, &settlement, clock.now())?;
        if state == MailState::Discarded {
            // It was erased while it was being written.
            let ended: RideEnded = serde_json::from_slice(&envelope.mime)?;
            runtime.block_on(exporter.delete_files(ended.ride_id, ended.business_day))?;
        }
        match settlement {
            Settlement::Sent(_) => sent += 1,
            Settlement::Retry(reason) | Settlement::Dead(reason) | Settlement::Unknown(reason) => {
                tracing::warn!(message.id = %envelope.message_id, message.kind = kind.name(), state = state.name(), reason, "word of a ride's end was not sent");
                last_reason = Some(reason);
            }
        }
        if state == MailState::Waiting {
            break;
        }
    }
    Ok((sent, last_reason))
}

fn deliver(
    store: &Store,
    exporter: &Exporter,
    rule: &AlertRule,
    envelope: &Envelope,
    runtime: &Handle,
) -> Result<Result<SendReceipt, SendError>> {
    let ended: RideEnded = match serde_json::from_slice(&envelope.mime) {
        Ok(ended) => ended,
        Err(error) => return Ok(Err(SendError::Dead(format!("the message is damaged: {error}")))),
    };
    let earlier = store.earlier_ends(envelope, ended.ride_id)?;
    if envelope.kind != MessageKind::RideCsv {
        let now = store.clock().now();
        return Ok(runtime.block_on(exporter.tell(envelope, &ended, !earlier.is_empty(), now)));
    }
    if exporter.files.name() != envelope.recipient {
        return Ok(Err(SendError::Dead(format!(
            "the files of rides do not go to `{}` any more",
            envelope.recipient
        ))));
    }
    let readings = store.readings_of(ended.ride_id)?;
    let rider = match ended.rider_id {
        Some(rider_id) => store.rider_as_described(rider_id)?,
        None => None,
    };
    let limit_bpm = rider.as_ref().and_then(|rider| {
        let age = rider.date_of_birth.and_then(|born| age_at(born, ended.started_at));
        let own = store.rider_limits().get(&rider.rider_id).copied().unwrap_or_default();
        Some(rule.limits(age, rider.gender, own).upper?.bpm)
    });
    let export = RideExport {
        ended: &ended,
        readings: &readings,
        rider: rider.as_ref(),
        limit_bpm,
    };
    Ok(runtime.block_on(exporter.write_files(&export, &earlier)))
}

#[cfg(test)]
#[path = "export_rides_tests.rs"]
mod tests;
