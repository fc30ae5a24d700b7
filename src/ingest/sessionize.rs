//! From events to rides: every bike of one partition.
//!
//! The state is a function of what was understood of the messages, in order, and of the rules, so that replaying them gives
//! the same rides. The one exception, closing rides because the wall clock says that nothing arrives any more
//! ([`Sessions::close_all`]), is therefore followed by a checkpoint.

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use hashlink::{LinkedHashMap, linked_hash_map::RawEntryMut};

use super::{
    bike::{Bike, Step},
    open_ride::OpenRide,
    parse::UserData,
};
use crate::domain::{
    batch::{Batch, Counts},
    day::DayRule,
    erasure::Tombstones,
    event::{Event, LogInstant},
    heart_rate::{AlertRule, Raise, RiderLimits},
    ride::{EndReason, PlausibleBounds},
};

/// Of the log's clock.
pub(super) const SECOND: LogInstant = 1_000_000;

/// A bike that was quiet for so long is forgotten: should its ride go on after all, it does so as a partial one.
const FORGET: LogInstant = 24 * 3600 * SECOND;

/// The numbers the sessioniser goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Time without a line after which a ride is over.
    pub idle: TimeDelta,
    /// Readings beyond these are flagged.
    pub bounds: PlausibleBounds,
    /// When to raise a heart-rate alert.
    pub alerts: AlertRule,
    /// What was settled for single riders.
    pub riders: Arc<RiderLimits>,
    /// What was erased.
    pub tombstones: Arc<Tombstones>,
    /// Which day a ride belongs to.
    pub day: DayRule,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            idle: TimeDelta::seconds(60),
            bounds: PlausibleBounds::default(),
            alerts: AlertRule::default(),
            riders: Arc::default(),
            tombstones: Arc::default(),
            day: DayRule::default(),
        }
    }
}

impl Rules {
    /// Microseconds without a line after which a ride is over.
    pub(super) fn idle_micros(&self) -> LogInstant {
        self.idle.num_microseconds().unwrap_or(LogInstant::MAX)
    }
}

/// Every bike of one partition.
#[derive(Debug)]
pub struct Sessions {
    partition: i32,
    /// The partition's own clock: the newest stamp of a bike that keeps time.
    clock: LogInstant,
    /// Bikes by key, in the order of their last line.
    riding: LinkedHashMap<Vec<u8>, Bike>,
    /// Bikes that have been quiet for longer than the idle time, in the same order.
    quiet: LinkedHashMap<Vec<u8>, Bike>,
}

/// How [`Sessions`] is written down: the clock, the riding and the quiet bikes.
type State = (LogInstant, Vec<(Vec<u8>, Bike)>, Vec<(Vec<u8>, Bike)>);

/// Where a message came from and when: what the state machine needs besides the event itself.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The message's key; empty where it has none.
    pub key: &'a [u8],
    /// The message's offset.
    pub offset: i64,
    /// What becomes of an alert that its reading calls for.
    pub raise: Raise,
    /// A ride that ends with it is the partition's former owner's.
    pub is_taken_over: bool,
}

impl Sessions {
    /// A partition where nothing has been seen.
    #[must_use]
    pub fn new(partition: i32) -> Self {
        Sessions {
            partition,
            clock: 0,
            riding: LinkedHashMap::new(),
            quiet: LinkedHashMap::new(),
        }
    }

    /// Restores what [`encode`](Self::encode) wrote down.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(partition: i32, state: &[u8]) -> anyhow::Result<Self> {
        let (clock, riding, quiet): State = postcard::from_bytes(state)
            .with_context(|| format!("the checkpoint of partition {partition} is damaged"))?;
        Ok(Sessions {
            partition,
            clock,
            riding: riding.into_iter().collect(),
            quiet: quiet.into_iter().collect(),
        })
    }

    /// Writes the state down.
    ///
    /// # Errors
    /// When it cannot be laid out.
    pub fn encode(&self) -> anyhow::Result<Vec<u8>> {
        let riding: Vec<_> = self.riding.iter().collect();
        let quiet: Vec<_> = self.quiet.iter().collect();
        postcard::to_allocvec(&(self.clock, riding, quiet)).context("cannot write down the open rides")
    }

    /// The partition's own clock; none before the first stamp.
    #[must_use]
    pub fn clock(&self) -> Option<LogInstant> {
        (self.clock > 0).then_some(self.clock)
    }

    /// The rides under way.
    pub fn open_rides(&self) -> impl Iterator<Item = &OpenRide> {
        self.riding.values().filter_map(Bike::open_ride)
    }

    /// The rides under way, to be corrected by what the store knows of them.
    pub fn open_rides_mut(&mut self) -> impl Iterator<Item = &mut OpenRide> {
        self.riding.values_mut().filter_map(Bike::open_ride_mut)
    }

    /// Brings the limits of the rides up to date: the rule is another one, or something was settled for a rider.
    pub fn set_limits(&mut self, rules: &Rules) {
        let bikes = self.riding.values_mut().chain(self.quiet.values_mut());
        bikes
            .filter_map(|bike| bike.ride.as_mut())
            .for_each(|ride| ride.set_limits(rules));
    }

    /// Forgets who rides what was erased.
    pub fn forget_erased(&mut self, tombstones: &Tombstones) {
        let bikes = self.riding.values_mut().chain(self.quiet.values_mut());
        bikes
            .filter_map(|bike| bike.ride.as_mut())
            .for_each(|ride| ride.forget_if_erased(tombstones));
    }

    /// Whether the ride of the bike with that key was erased.
    #[must_use]
    pub fn is_erased(&self, key: &[u8]) -> bool {
        let bike = self.riding.get(key).or_else(|| self.quiet.get(key));
        bike.and_then(|bike| bike.ride.as_ref())
            .is_some_and(OpenRide::is_erased)
    }

    /// The offset from which a replay would make this state again: that of the oldest open ride's header.
    #[must_use]
    pub fn replay_from(&self, next_offset: i64) -> i64 {
        let headers = self
            .riding
            .values()
            .chain(self.quiet.values())
            .filter_map(|bike| bike.header.map(|header| header.offset));
        self.open_rides()
            .map(|ride| ride.header_offset)
            .chain(headers)
            .min()
            .unwrap_or(next_offset)
    }

    /// Applies one event; answers what it counts for, but not as a message.
    pub fn apply(
        &mut self,
        rules: &Rules,
        event: &Event<'_>,
        user: Option<Box<UserData>>,
        arrival: Arrival<'_>,
        batch: &mut Batch,
    ) -> Counts {
        let stranger = || Bike::new(serial_of(arrival.key, self.partition));
        let bike = match self.riding.raw_entry_mut().from_key(arrival.key) {
            RawEntryMut::Occupied(mut riding) => {
                riding.to_back();
                riding.into_mut()
            }
            RawEntryMut::Vacant(place) => {
                let bike = self.quiet.remove(arrival.key).unwrap_or_else(stranger);
                place.insert(arrival.key.to_owned(), bike).1
            }
        };
        let mut step = Step::new(rules, self.partition, arrival, batch);
        let told = bike.apply(&mut step, event, user);
        if let Some((at, keeps_time)) = told {
            // One wild stamp must not end every other bike's ride: only a bike that keeps time moves the clock.
            if keeps_time || self.clock == 0 {
                self.clock = self.clock.max(at);
            }
        }
        bike.heard_at = self.clock;
        let clock = self.clock;
        let is_older =
            |bikes: &LinkedHashMap<_, Bike>, than| bikes.front().is_some_and(|(_, bike)| clock - bike.heard_at > than);
        while is_older(&self.riding, rules.idle_micros()) {
            let Some((key, mut bike)) = self.riding.pop_front() else {
                break;
            };
            bike.close(&mut step, EndReason::Idle);
            self.quiet.insert(key, bike);
        }
        while is_older(&self.quiet, FORGET) {
            self.quiet.pop_front();
        }
        step.counts
    }

    /// Closes every ride under way: at the end of a file, or when nothing arrives any more. Answers what that counts for.
    pub fn close_all(&mut self, rules: &Rules, batch: &mut Batch) -> Counts {
        let arrival = Arrival {
            key: &[],
            offset: -1,
            raise: Raise::Later,
            is_taken_over: false,
        };
        let mut step = Step::new(rules, self.partition, arrival, batch);
        for bike in self.riding.values_mut() {
            bike.close(&mut step, EndReason::Idle);
        }
        step.counts
    }

    /// The stretch that was taken over ends here: rides that ended in it, provisionally too, are the former owner's.
    pub(super) fn end_takeover(&mut self, batch: &mut Batch) {
        for bike in self.riding.values_mut().chain(self.quiet.values_mut()) {
            bike.leave_ended(batch);
        }
    }

    /// The serial of the bike with that key: what its last header said, else the key, else the partition's name.
    #[must_use]
    pub fn bike_serial(&self, key: &[u8]) -> String {
        match self.riding.get(key).or_else(|| self.quiet.get(key)) {
            Some(bike) => bike.serial().to_owned(),
            None => serial_of(key, self.partition),
        }
    }
}

/// What a bike is called before a header has said so: its key, else its partition's name.
fn serial_of(key: &[u8], partition: i32) -> String {
    match std::str::from_utf8(key) {
        Ok("") | Err(_) => nameless(partition),
        Ok(key) => key.to_owned(),
    }
}

/// What the bike of a partition is called whose messages have no key.
pub(super) fn nameless(partition: i32) -> String {
    format!("partition-{partition}")
}

/// A log instant as a date and time. One that no calendar holds is 1970; the parser lets none through.
#[must_use]
pub fn instant(at: LogInstant) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}
