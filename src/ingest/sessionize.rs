//! From events to rides: the state machine of every bike of one partition.
//!
//! The state is a function of the messages, in order, and of nothing else, so that replaying them gives the same rides.
//! The one exception, closing rides because the wall clock says that nothing arrives any more
//! ([`Sessions::close_all`]), is therefore followed by a checkpoint.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{open_ride::OpenRide, parse::UserData};
use crate::domain::{
    batch::{Batch, Counts},
    day::DayRule,
    event::{Event, LogInstant},
    heart_rate::AlertRule,
    ride::{EndReason, PlausibleBounds, Reading, ride_id},
    rider::age_at,
};

const SECOND: LogInstant = 1_000_000;

/// A Ride line and a Telemetry line further apart than this are two readings.
const PAIR: LogInstant = 1_500_000;

/// How far a stamp may be from where the bike's counter says it should be, and still be the same ride.
const DRIFT: LogInstant = 5 * SECOND;

/// The numbers the sessioniser goes by.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Time without a line after which a ride is over.
    pub idle: TimeDelta,
    /// Readings beyond these are flagged.
    pub bounds: PlausibleBounds,
    /// When to raise a heart-rate alert.
    pub alerts: AlertRule,
    /// Which day a ride belongs to.
    pub day: DayRule,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            idle: TimeDelta::seconds(60),
            bounds: PlausibleBounds::default(),
            alerts: AlertRule::default(),
            day: DayRule::default(),
        }
    }
}

/// Every bike of one partition.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sessions {
    partition: i32,
    bikes: Vec<Bike>,
    by_key: HashMap<Vec<u8>, u32>,
    /// The partition's own clock: the newest stamp of a bike that keeps time.
    clock: LogInstant,
    /// Riding bikes in the order of their last line, as a linked list through `bikes`.
    oldest: Option<u32>,
    newest: Option<u32>,
}

/// One bike: what it is doing and what it wrote last.
#[derive(Debug, Serialize, Deserialize)]
struct Bike {
    /// The last header's serial, else the key, else `partition-N`.
    serial: String,
    /// A header has begun: the stamp of its `Getting user data` line, and the offset.
    header: Option<Header>,
    /// The ride under way, or the last one.
    ride: Option<OpenRide>,
    /// A Ride line whose Telemetry line has not come yet.
    hold: Option<Hold>,
    /// Stamp of the last stamped line.
    last_at: LogInstant,
    /// What the partition's clock said then. Not the bike's own: that may be hours off.
    heard_at: LogInstant,
    /// Stamp of the last Telemetry line.
    telemetry_at: LogInstant,
    older: Option<u32>,
    newer: Option<u32>,
    is_listed: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Header {
    at: Option<LogInstant>,
    offset: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Hold {
    at: LogInstant,
    second: i32,
    resistance: Option<i32>,
    is_duplicate: bool,
}

/// The values of a Telemetry line.
#[derive(Debug, Clone, Copy)]
struct Telemetry {
    heart_rate_bpm: Option<i32>,
    cadence_rpm: Option<i32>,
    power_watts: Option<f64>,
}

/// Where a message came from and when: what the state machine needs besides the event itself.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The message's key; empty where it has none.
    pub key: &'a [u8],
    /// The message's offset.
    pub offset: i64,
    /// When it was written, as far as known: the message's own time stamp, else now.
    pub written_at: LogInstant,
}

impl Sessions {
    /// A partition where nothing has been seen.
    #[must_use]
    pub fn new(partition: i32) -> Self {
        Sessions {
            partition,
            bikes: Vec::new(),
            by_key: HashMap::new(),
            clock: 0,
            oldest: None,
            newest: None,
        }
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The partition's own clock; none before the first stamp.
    #[must_use]
    pub fn clock(&self) -> Option<LogInstant> {
        (self.clock > 0).then_some(self.clock)
    }

    /// The rides under way.
    pub fn open_rides(&self) -> impl Iterator<Item = &OpenRide> {
        self.bikes
            .iter()
            .filter_map(|bike| bike.ride.as_ref())
            .filter(|ride| ride.is_open())
    }

    /// The rides under way, to be corrected by what the store knows of them.
    pub fn open_rides_mut(&mut self) -> impl Iterator<Item = &mut OpenRide> {
        self.bikes
            .iter_mut()
            .filter_map(|bike| bike.ride.as_mut())
            .filter(|ride| ride.is_open())
    }

    /// The offset from which a replay would make this state again: that of the oldest open ride's header.
    #[must_use]
    pub fn replay_from(&self, next_offset: i64) -> i64 {
        let headers = self
            .bikes
            .iter()
            .filter_map(|bike| bike.header.map(|header| header.offset));
        self.open_rides()
            .map(|ride| ride.header_offset)
            .chain(headers)
            .min()
            .unwrap_or(next_offset)
    }

    /// Applies one event.
    pub fn apply(
        &mut self,
        rules: &Rules,
        event: &Event<'_>,
        user: Option<UserData>,
        arrival: Arrival<'_>,
        batch: &mut Batch,
    ) {
        let index = self.bike(arrival.key);
        let partition = self.partition;
        let bike = &mut self.bikes[index as usize];
        let mut step = Step {
            rules,
            partition,
            arrival,
            batch,
        };
        let at = match *event {
            Event::BeginningOfMain => {
                bike.marker(&mut step, EndReason::Marker);
                return;
            }
            Event::BeginningOfRide => {
                bike.marker(&mut step, EndReason::NextRide);
                bike.header.get_or_insert(Header {
                    at: None,
                    offset: arrival.offset,
                });
                return;
            }
            Event::GettingUserData { at }
            | Event::System { at, .. }
            | Event::Ride { at, .. }
            | Event::Telemetry { at, .. } => at,
        };
        let idle = rules.idle.num_microseconds().unwrap_or(LogInstant::MAX);
        let keeps_time = (0..=idle).contains(&(at - bike.last_at));
        if at - bike.last_at > idle {
            bike.close(&mut step, EndReason::Idle);
        }
        bike.last_at = at;
        match *event {
            Event::GettingUserData { .. } => bike.getting_user_data(&mut step, at),
            Event::System { .. } => bike.system(&mut step, at, user),
            Event::Ride { second, resistance, .. } => bike.ride_line(&mut step, at, second, resistance),
            Event::Telemetry {
                heart_rate_bpm,
                cadence_rpm,
                power_watts,
                ..
            } => {
                bike.telemetry_line(
                    &mut step,
                    at,
                    Telemetry {
                        heart_rate_bpm,
                        cadence_rpm,
                        power_watts,
                    },
                );
            }
            Event::BeginningOfMain | Event::BeginningOfRide => {}
        }
        let position = step.batch.position(partition);
        position.log_clock = position.log_clock.max(Some(at));
        // One wild stamp must not end every other bike's ride: only a bike that keeps time moves the clock.
        if keeps_time || self.clock == 0 {
            self.clock = self.clock.max(at);
        }
        self.touch(index);
        self.close_quiet(rules, idle, arrival, batch);
    }

    /// Closes every ride under way: at the end of a file, or when nothing arrives any more.
    pub fn close_all(&mut self, rules: &Rules, batch: &mut Batch) {
        let arrival = Arrival {
            key: &[],
            offset: -1,
            written_at: 0,
        };
        let mut step = Step {
            rules,
            partition: self.partition,
            arrival,
            batch,
        };
        for bike in &mut self.bikes {
            bike.close(&mut step, EndReason::Idle);
        }
    }

    /// Closes the rides of bikes that have been quiet on the partition's clock.
    fn close_quiet(&mut self, rules: &Rules, idle: LogInstant, arrival: Arrival<'_>, batch: &mut Batch) {
        while let Some(index) = self.oldest {
            let bike = &mut self.bikes[index as usize];
            if self.clock - bike.heard_at <= idle {
                break;
            }
            let mut step = Step {
                rules,
                partition: self.partition,
                arrival,
                batch,
            };
            bike.close(&mut step, EndReason::Idle);
            self.unlist(index);
        }
    }

    fn bike(&mut self, key: &[u8]) -> u32 {
        if let Some(&index) = self.by_key.get(key) {
            return index;
        }
        let index = u32::try_from(self.bikes.len()).expect("fewer than 2^32 bikes");
        let serial = match std::str::from_utf8(key) {
            Ok("") | Err(_) => format!("partition-{}", self.partition),
            Ok(key) => key.to_owned(),
        };
        self.bikes.push(Bike {
            serial,
            header: None,
            ride: None,
            hold: None,
            last_at: 0,
            heard_at: 0,
            telemetry_at: 0,
            older: None,
            newer: None,
            is_listed: false,
        });
        self.by_key.insert(key.to_owned(), index);
        index
    }

    /// Makes a bike the newest of the list.
    fn touch(&mut self, index: u32) {
        self.bikes[index as usize].heard_at = self.clock;
        if self.newest == Some(index) {
            return;
        }
        self.unlist(index);
        let newest = self.newest.replace(index);
        match newest {
            Some(newest) => self.bikes[newest as usize].newer = Some(index),
            None => self.oldest = Some(index),
        }
        let bike = &mut self.bikes[index as usize];
        (bike.older, bike.newer, bike.is_listed) = (newest, None, true);
    }

    fn unlist(&mut self, index: u32) {
        let bike = &mut self.bikes[index as usize];
        if !std::mem::take(&mut bike.is_listed) {
            return;
        }
        let (older, newer) = (bike.older.take(), bike.newer.take());
        match older {
            Some(older) => self.bikes[older as usize].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.bikes[newer as usize].older = older,
            None => self.newest = older,
        }
    }
}

/// One event's surroundings.
struct Step<'s, 'a> {
    rules: &'s Rules,
    partition: i32,
    arrival: Arrival<'a>,
    batch: &'s mut Batch,
}

impl Step<'_, '_> {
    fn counts(&mut self) -> &mut Counts {
        &mut self.batch.position(self.partition).counts
    }
}

impl Bike {
    fn marker(&mut self, step: &mut Step<'_, '_>, reason: EndReason) {
        step.counts().marker_lines += 1;
        // A marker that comes after the header of its own ride, before the first reading, is late or repeated.
        if self
            .ride
            .as_ref()
            .is_none_or(|ride| ride.is_open() && ride.totals.reading_count > 0 || self.hold.is_some())
        {
            self.close(step, reason);
            self.header = None;
        }
    }

    fn getting_user_data(&mut self, step: &mut Step<'_, '_>, at: LogInstant) {
        step.counts().user_data_lines += 1;
        if self.ride.as_ref().is_none_or(|ride| ride.started_at != at) {
            self.close(step, EndReason::NextRide);
        }
        let offset = self.header.map_or(step.arrival.offset, |header| header.offset);
        self.header = Some(Header { at: Some(at), offset });
    }

    fn system(&mut self, step: &mut Step<'_, '_>, at: LogInstant, user: Option<UserData>) {
        step.counts().system_lines += 1;
        let Some(UserData { rider, bike_serial }) = user else {
            return;
        };
        if let Some(serial) = bike_serial {
            self.serial = serial;
        }
        let header = self.header.take();
        let started_at = header.and_then(|header| header.at).unwrap_or(at);
        let age = rider.date_of_birth.and_then(|born| age_at(born, instant(started_at)));
        let limits = step.rules.alerts.limits(age, rider.gender);
        let id = ride_id(&self.serial, instant(started_at));
        let is_same = self
            .ride
            .as_ref()
            .is_some_and(|ride| ride.ride_id == id || ride.system_at == Some(at));
        if !is_same {
            self.close(step, EndReason::NextRide);
            let offset = header.map_or(step.arrival.offset, |header| header.offset);
            self.begin(step, id, started_at, offset);
        }
        if let Some(ride) = &mut self.ride {
            ride.identify(&rider, age, limits, at);
            step.batch.rides.push(ride.row(&step.rules.day));
        }
        step.batch.riders.push((rider, started_at));
    }

    fn ride_line(&mut self, step: &mut Step<'_, '_>, at: LogInstant, second: i32, resistance: Option<i32>) {
        if self.hold.is_some_and(|hold| (hold.second, hold.at) == (second, at)) {
            // The same line twice; its Telemetry line is still to come.
            step.counts().duplicate_lines += 1;
            return;
        }
        self.release_hold(step);
        let ride = self.ride_for(step, at, Some(second));
        let is_duplicate = ride.has_seen(second);
        ride.advance(second, at);
        if is_duplicate {
            step.counts().duplicate_lines += 1;
        } else {
            step.counts().ride_lines += 1;
        }
        self.hold = Some(Hold {
            at,
            second,
            resistance,
            is_duplicate,
        });
    }

    fn telemetry_line(&mut self, step: &mut Step<'_, '_>, at: LogInstant, telemetry: Telemetry) {
        let repeated = std::mem::replace(&mut self.telemetry_at, at) == at;
        match self.hold {
            // Its own Ride line was overtaken by the next: that second is there already.
            Some(hold) if (-PAIR..0).contains(&(at - hold.at)) => {
                step.counts().duplicate_lines += 1;
            }
            Some(hold) if (0..=PAIR).contains(&(at - hold.at)) => {
                self.hold = None;
                if hold.is_duplicate {
                    let counts = step.counts();
                    counts.duplicate_lines += 1;
                    counts.duplicate_readings += 1;
                } else {
                    step.counts().telemetry_lines += 1;
                    self.emit(step, hold.second, Some(hold), Some((at, telemetry)));
                }
            }
            None if repeated => step.counts().duplicate_lines += 1,
            _ => {
                self.release_hold(step);
                let ride = self.ride_for(step, at, None);
                let second = ride.last_second + 1;
                if ride.has_seen(second) {
                    let counts = step.counts();
                    counts.duplicate_lines += 1;
                    counts.duplicate_readings += 1;
                } else {
                    step.counts().telemetry_lines += 1;
                    self.emit(step, second, None, Some((at, telemetry)));
                }
            }
        }
    }

    /// The held Ride line will get no Telemetry line: half a reading.
    fn release_hold(&mut self, step: &mut Step<'_, '_>) {
        if let Some(hold) = self.hold.take() {
            if hold.is_duplicate {
                step.counts().duplicate_readings += 1;
            } else {
                self.emit(step, hold.second, Some(hold), None);
            }
        }
    }

    /// The ride that a line belongs to; one is begun, without a rider, where the header was missed.
    fn ride_for(&mut self, step: &mut Step<'_, '_>, at: LogInstant, second: Option<i32>) -> &mut OpenRide {
        let belongs = self.ride.as_ref().is_some_and(|ride| match ride.end_reason {
            None => !ride.counter_restarted(at, second, DRIFT),
            // Provisional: the ride's next second reopens it.
            Some(EndReason::Idle) if self.header.is_none() => ride.continues(at, second, DRIFT),
            // A line that the end marker overtook.
            Some(EndReason::Marker) if self.header.is_none() => {
                at <= ride.last_reading_at + PAIR && ride.continues(at, second, PAIR)
            }
            Some(_) => false,
        });
        if !belongs {
            self.close(step, EndReason::NextRide);
            let header = self.header;
            let started_at = header.and_then(|header| header.at).unwrap_or(at);
            let offset = header.map_or(step.arrival.offset, |header| header.offset);
            let id = ride_id(&self.serial, instant(started_at));
            if self.ride.as_ref().is_none_or(|ride| ride.ride_id != id) {
                self.begin(step, id, started_at, offset);
            }
        }
        let ride = self.ride.as_mut().expect("a ride was found or begun");
        if ride.end_reason == Some(EndReason::Idle) {
            ride.reopen();
        }
        ride
    }

    fn begin(&mut self, step: &mut Step<'_, '_>, id: Uuid, started_at: LogInstant, offset: i64) {
        let ride = OpenRide::new(id, &self.serial, started_at, offset);
        step.batch.begun.push(id);
        step.batch.rides.push(ride.row(&step.rules.day));
        self.ride = Some(ride);
    }

    fn emit(
        &mut self,
        step: &mut Step<'_, '_>,
        second: i32,
        ride_line: Option<Hold>,
        telemetry: Option<(LogInstant, Telemetry)>,
    ) {
        let Some(ride) = &mut self.ride else { return };
        let values = telemetry.map(|(_, telemetry)| telemetry);
        let heart_rate = values.and_then(|values| values.heart_rate_bpm);
        let power_watts = values.and_then(|values| values.power_watts);
        let cadence_rpm = values.and_then(|values| values.cadence_rpm);
        let at = ride_line
            .map(|hold| hold.at)
            .or(telemetry.map(|(at, _)| at))
            .unwrap_or(ride.last_reading_at);
        let reading = Reading {
            ride_id: ride.ride_id,
            second,
            at,
            resistance: ride_line.and_then(|hold| hold.resistance),
            heart_rate_bpm: heart_rate.filter(|&bpm| bpm > 0),
            is_dropout: heart_rate == Some(0),
            cadence_rpm,
            power_watts,
            is_flagged: step.rules.bounds.are_exceeded(power_watts, cadence_rpm, heart_rate),
            has_ride_line: ride_line.is_some(),
            has_telemetry_line: telemetry.is_some(),
        };
        let was_closed = !ride.is_open();
        let is_recent = step.arrival.written_at - at <= step.rules.alerts.max_age_seconds * SECOND;
        if let Some(alert) = ride.add(&reading, &step.rules.alerts, is_recent) {
            step.batch.alerts.push(alert);
        }
        step.batch.readings.push(reading);
        step.counts().readings += 1;
        if was_closed {
            step.batch.rides.push(ride.row(&step.rules.day));
        }
    }

    fn close(&mut self, step: &mut Step<'_, '_>, reason: EndReason) {
        self.release_hold(step);
        if let Some(ride) = self.ride.as_mut().filter(|ride| ride.is_open()) {
            ride.end_reason = Some(reason);
            step.batch.rides.push(ride.row(&step.rules.day));
        }
    }
}

/// A log instant as a date and time. One that no calendar holds is 1970; the parser lets none through.
#[must_use]
pub fn instant(at: LogInstant) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}
