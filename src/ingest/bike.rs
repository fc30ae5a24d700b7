//! The state machine of one bike: from its events to rides and readings.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    open_ride::{Elsewhere, OpenRide},
    parse::UserData,
    sessionize::{Arrival, Rules, SECOND, instant},
};
use crate::domain::{
    batch::{Batch, Begun, Counts},
    event::{Event, LogInstant},
    ride::{EndReason, Reading, ride_id},
    rider::age_at,
};

/// A Ride line and a Telemetry line further apart than this are two readings.
pub(super) const PAIR: LogInstant = 1_500_000;

/// How far a stamp may be from where the bike's counter says it should be, and still be the same ride.
pub(super) const DRIFT: LogInstant = 5 * SECOND;

/// One bike: what it is doing and what it wrote last.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Bike {
    /// The last header's serial, else the key, else `partition-N`.
    serial: String,
    /// A header has begun: the stamp of its `Getting user data` line, and the offset.
    pub(super) header: Option<Header>,
    /// The ride under way, or the last one.
    pub(super) ride: Option<OpenRide>,
    /// A Ride line whose Telemetry line has not come yet.
    hold: Option<Hold>,
    /// Stamp of the last stamped line.
    last_at: LogInstant,
    /// What the partition's clock said at its last line. Not the bike's own: that may be hours off.
    pub(super) heard_at: LogInstant,
    /// Stamp of the last Telemetry line.
    telemetry_at: LogInstant,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Header {
    at: Option<LogInstant>,
    pub(super) offset: i64,
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

/// One event's surroundings.
pub(super) struct Step<'s, 'a> {
    pub(super) rules: &'s Rules,
    pub(super) partition: i32,
    pub(super) arrival: Arrival<'a>,
    pub(super) batch: &'s mut Batch,
    /// What the event counts for.
    pub(super) counts: Counts,
}

impl<'s, 'a> Step<'s, 'a> {
    pub(super) fn new(rules: &'s Rules, partition: i32, arrival: Arrival<'a>, batch: &'s mut Batch) -> Self {
        Step {
            rules,
            partition,
            arrival,
            batch,
            counts: Counts::default(),
        }
    }
}

impl Bike {
    pub(super) fn new(serial: String) -> Self {
        Bike {
            serial,
            header: None,
            ride: None,
            hold: None,
            last_at: 0,
            heard_at: 0,
            telemetry_at: 0,
        }
    }

    /// What it is called.
    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// The ride under way.
    pub(super) fn open_ride(&self) -> Option<&OpenRide> {
        self.ride.as_ref().filter(|ride| ride.is_open())
    }

    /// The ride under way, to be corrected by what the store knows of it.
    pub(super) fn open_ride_mut(&mut self) -> Option<&mut OpenRide> {
        self.ride.as_mut().filter(|ride| ride.is_open())
    }

    /// Applies one event; answers its stamp, and whether the bike keeps time.
    pub(super) fn apply(
        &mut self,
        step: &mut Step<'_, '_>,
        event: &Event<'_>,
        user: Option<Box<UserData>>,
    ) -> Option<(LogInstant, bool)> {
        let at = match *event {
            Event::BeginningOfMain => {
                self.marker(step, EndReason::Marker);
                return None;
            }
            Event::BeginningOfRide => {
                self.marker(step, EndReason::NextRide);
                self.header.get_or_insert(Header {
                    at: None,
                    offset: step.arrival.offset,
                });
                return None;
            }
            Event::GettingUserData { at }
            | Event::System { at, .. }
            | Event::Ride { at, .. }
            | Event::Telemetry { at, .. } => at,
        };
        let idle = step.rules.idle_micros();
        let keeps_time = (0..=idle).contains(&(at - self.last_at));
        if at - self.last_at > idle {
            self.close(step, EndReason::Idle);
        }
        self.last_at = at;
        match *event {
            Event::GettingUserData { .. } => self.getting_user_data(step, at),
            Event::System { .. } => self.system(step, at, user),
            Event::Ride { second, resistance, .. } => self.ride_line(step, at, second, resistance),
            Event::Telemetry {
                heart_rate_bpm,
                cadence_rpm,
                power_watts,
                ..
            } => {
                let telemetry = Telemetry {
                    heart_rate_bpm,
                    cadence_rpm,
                    power_watts,
                };
                self.telemetry_line(step, at, telemetry);
            }
            Event::BeginningOfMain | Event::BeginningOfRide => {}
        }
        Some((at, keeps_time))
    }

    fn marker(&mut self, step: &mut Step<'_, '_>, reason: EndReason) {
        step.counts.marker_lines += 1;
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
        step.counts.user_data_lines += 1;
        if self.ride.as_ref().is_none_or(|ride| ride.started_at != at) {
            self.close(step, EndReason::NextRide);
        }
        let offset = self.header.map_or(step.arrival.offset, |header| header.offset);
        self.header = Some(Header { at: Some(at), offset });
    }

    fn system(&mut self, step: &mut Step<'_, '_>, at: LogInstant, user: Option<Box<UserData>>) {
        step.counts.system_lines += 1;
        let Some(UserData { rider, bike_serial }) = user.map(|user| *user) else {
            return;
        };
        if let Some(serial) = bike_serial {
            self.serial = serial;
        }
        let header = self.header.take();
        let started_at = header.and_then(|header| header.at).unwrap_or(at);
        let age = rider.date_of_birth.and_then(|born| age_at(born, instant(started_at)));
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
            ride.identify(&rider, age, step.rules, at);
            step.batch.rides.push(ride.row(&step.rules.day));
        }
        step.batch.riders.push((rider, started_at));
    }

    fn ride_line(&mut self, step: &mut Step<'_, '_>, at: LogInstant, second: i32, resistance: Option<i32>) {
        if self.hold.is_some_and(|hold| (hold.second, hold.at) == (second, at)) {
            // The same line twice; its Telemetry line is still to come.
            step.counts.duplicate_lines += 1;
            return;
        }
        self.release_hold(step);
        let ride = self.ride_for(step, at, Some(second));
        let is_duplicate = ride.has_seen(second);
        ride.advance(second, at);
        if is_duplicate {
            step.counts.duplicate_lines += 1;
        } else {
            step.counts.ride_lines += 1;
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
                step.counts.duplicate_lines += 1;
            }
            Some(hold) if (0..=PAIR).contains(&(at - hold.at)) => {
                self.hold = None;
                if hold.is_duplicate {
                    step.counts.duplicate_lines += 1;
                    step.counts.duplicate_readings += 1;
                } else {
                    step.counts.telemetry_lines += 1;
                    self.emit(step, hold.second, Some(hold), Some((at, telemetry)));
                }
            }
            None if repeated => step.counts.duplicate_lines += 1,
            _ => {
                self.release_hold(step);
                let ride = self.ride_for(step, at, None);
                let second = ride.last_second + 1;
                if ride.has_seen(second) {
                    step.counts.duplicate_lines += 1;
                    step.counts.duplicate_readings += 1;
                } else {
                    step.counts.telemetry_lines += 1;
                    self.emit(step, second, None, Some((at, telemetry)));
                }
            }
        }
    }

    /// The held Ride line will get no Telemetry line: half a reading.
    fn release_hold(&mut self, step: &mut Step<'_, '_>) {
        if let Some(hold) = self.hold.take() {
            if hold.is_duplicate {
                step.counts.duplicate_readings += 1;
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
        match ride.elsewhere {
            Elsewhere::Perhaps => ride.elsewhere = Elsewhere::No,
            // Its end was provisional, and what follows is ours: what is stored of it is all that we have.
            Elsewhere::Yes if !step.arrival.is_taken_over => {
                ride.elsewhere = Elsewhere::No;
                step.batch.begun.push(Begun {
                    ride_id: ride.ride_id,
                    partition: step.partition,
                    is_again: true,
                });
            }
            Elsewhere::Yes | Elsewhere::No => {}
        }
        ride
    }

    /// A ride that ended in a stretch that was taken over is the former owner's, once it cannot go on.
    pub(super) fn leave_ended(&mut self, batch: &mut Batch) {
        if let Some(ride) = self.ride.as_mut().filter(|ride| ride.elsewhere == Elsewhere::Perhaps) {
            ride.elsewhere = Elsewhere::Yes;
            batch.elsewhere.push((ride.ride_id, batch.readings.len()));
        }
    }

    fn begin(&mut self, step: &mut Step<'_, '_>, id: Uuid, started_at: LogInstant, offset: i64) {
        self.leave_ended(step.batch);
        let mut ride = OpenRide::new(id, &self.serial, started_at, offset);
        ride.forget_if_erased(&step.rules.tombstones);
        step.batch.begun.push(Begun {
            ride_id: id,
            partition: step.partition,
            is_again: false,
        });
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
        if ride.elsewhere == Elsewhere::Yes {
            // A line that the ride's end overtook, in a stretch that another has read.
            step.counts.duplicate_readings += 1;
            return;
        }
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
        if let Some(alert) = ride.add(&reading, &step.rules.alerts, step.arrival.raise) {
            step.batch.alerts.push(alert);
        }
        step.batch.readings.push(reading);
        step.counts.readings += 1;
        if was_closed {
            step.batch.rides.push(ride.row(&step.rules.day));
        }
    }

    /// Ends the ride under way.
    pub(super) fn close(&mut self, step: &mut Step<'_, '_>, reason: EndReason) {
        self.release_hold(step);
        if let Some(ride) = self.ride.as_mut().filter(|ride| ride.is_open()) {
            ride.end_reason = Some(reason);
            step.batch.rides.push(ride.row(&step.rules.day));
            if step.arrival.is_taken_over {
                ride.elsewhere = Elsewhere::Perhaps;
                if reason != EndReason::Idle {
                    self.leave_ended(step.batch);
                }
            }
        }
    }
}
