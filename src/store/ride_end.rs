//! Word of rides that ended: written to the send ledger in the transaction that stores the end, and what is told of them.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use duckdb::{Connection, OptionalExt, params, types::Value};
use uuid::Uuid;

use super::{
    Doing, Result, Store,
    buffer::stored_readings,
    outbox::MailState,
    value::{self, listed, parsed},
};
use crate::domain::{
    message::Envelope,
    ride::{Reading, Ride},
    ride_ended::{RideEnded, RideTarget},
    rider::{Gender, Rider},
};

/// How long the ledger remembers what was sent of rides: longer than a ride's end is news.
const MEMORY: TimeDelta = TimeDelta::days(7);

/// Whom a transaction tells of the rides that end in it.
#[derive(Clone, Copy)]
pub(super) struct Announcer<'a> {
    pub(super) targets: &'a [RideTarget],
    pub(super) now: DateTime<Utc>,
}

impl Announcer<'_> {
    /// Queues word of those of `rides` that have ended, as far as it was not queued before.
    pub(super) fn announce(&self, connection: &Connection, rides: &[Ride]) -> Result<()> {
        if self.targets.is_empty() {
            return Ok(());
        }
        let ended = rides.iter().filter_map(|ride| RideEnded::of(ride, self.now));
        let mut envelopes: Vec<Envelope> = ended
            .flat_map(|ended| self.targets.iter().map(move |target| ended.envelope(target)))
            .collect();
        if envelopes.is_empty() {
            return Ok(());
        }
        let known = known(connection, &envelopes)?;
        envelopes.retain(|envelope| !known.contains(&envelope.message_id));
        let doing = || "cannot queue word of the rides that ended".to_owned();
        let mut appender = connection.appender_to_db("outbox", "ops").doing(doing)?;
        for envelope in &envelopes {
            appender
                .append_row(params![
                    envelope.message_id.to_string(),
                    envelope.kind.name(),
                    envelope.topic,
                    envelope.recipient,
                    MailState::Waiting.name(),
                    envelope.subject,
                    envelope.content_hash,
                    envelope.mime,
                    value::timestamp(self.now),
                    0,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                ])
                .doing(doing)?;
        }
        appender.flush().doing(doing)
    }
}

fn known(connection: &Connection, envelopes: &[Envelope]) -> Result<HashSet<Uuid>> {
    let doing = || "cannot read which rides were told of".to_owned();
    let mut statement = connection
        .prepare_cached(include_str!("sql/ride_ends_known.sql"))
        .doing(doing)?;
    let ids = listed(envelopes.iter().map(|envelope| &envelope.message_id));
    let rows = statement.query_map([ids], |row| parsed(row, 0)).doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

impl Store {
    /// From now on word of every ride that ends goes to `targets`, by the send ledger. To be called once, at the start.
    pub fn announce_rides_to(&self, targets: Vec<RideTarget>) {
        self.inner.ride_targets.set(targets).ok();
    }

    pub(super) fn announcer(&self) -> Announcer<'_> {
        Announcer {
            targets: self.inner.ride_targets.get().map_or(&[], Vec::as_slice),
            now: self.clock().now(),
        }
    }

    /// All readings of a ride, by their second.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn readings_of(&self, ride: Uuid) -> Result<Vec<Reading>> {
        stored_readings(&*self.connection()?, &HashSet::from([ride]))
    }

    /// A rider as the newest header described them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rider_as_described(&self, rider_id: i64) -> Result<Option<Rider>> {
        let date = |row: &duckdb::Row<'_>, column| -> duckdb::Result<_> {
            Ok(row.get::<_, Option<String>>(column)?.and_then(|text| text.parse().ok()))
        };
        self.connection()?
            .query_row(include_str!("sql/ride_end_rider.sql"), [rider_id], |row| {
                Ok(Rider {
                    rider_id,
                    name: row.get(0)?,
                    gender: Gender::parse(
                        row.get::<_, Option<String>>(1)?
                            .as_deref()
                            .filter(|name| *name != "unknown"),
                    ),
                    address: row.get(2)?,
                    date_of_birth: date(row, 3)?,
                    email_address: row.get(4)?,
                    height_cm: row.get(5)?,
                    weight_kg: row.get(6)?,
                    account_created_on: date(row, 7)?,
                    original_source: row.get(8)?,
                })
            })
            .optional()
            .doing(|| format!("cannot read rider {rider_id}"))
    }

    /// The ends of the ride that the recipient was told of before this one, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn earlier_ends(&self, envelope: &Envelope, ride: Uuid) -> Result<Vec<RideEnded>> {
        let doing = || format!("cannot read what was told of ride {ride} before");
        let connection = self.connection()?;
        let mut statement = connection
            .prepare(include_str!("sql/earlier_ride_ends.sql"))
            .doing(doing)?;
        let rows = statement
            .query_map(
                params![
                    envelope.kind.name(),
                    envelope.recipient,
                    ride.to_string(),
                    envelope.topic
                ],
                |row| row.get::<_, Vec<u8>>(0),
            )
            .doing(doing)?;
        let payloads = rows.collect::<duckdb::Result<Vec<_>>>().doing(doing)?;
        Ok(payloads
            .iter()
            .filter_map(|payload| serde_json::from_slice(payload).ok())
            .collect())
    }

    /// Forgets what was sent of rides so long ago that nothing more can come of them; answers how many messages that were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_ride_ends(&self) -> Result<usize> {
        let before = (self.clock().now() - MEMORY).to_rfc3339();
        self.connection()?
            .execute(include_str!("sql/forget_ride_ends.sql"), [before])
            .doing(|| "cannot forget what was sent of rides long ago".to_owned())
    }
}
