//! Reads rejected lines once more, with the parser and the settings of today, and finds the places of those that can be
//! read by now.
//!
//! A line of a ride that is stored goes where its second and its stamp agree: it completes a reading that lacks it, makes one
//! that is missing, or is a duplicate. What belongs to no stored ride goes through the state machine, as if it came now.
//! Nothing raises an alert: it is too late for that.

use std::collections::{BTreeMap, HashMap, HashSet, btree_map::Entry};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{
    bike::{DRIFT, PAIR},
    parse::{ParseError, Parser, UserData, open_envelope},
    pipeline::understand,
    sessionize::{Arrival, Rules, SECOND, Sessions, instant, nameless},
};
use crate::{
    domain::{
        batch::{Batch, Replayed},
        event::{Event, LogInstant},
        heart_rate::Raise,
        ride::{Reading, Ride, Totals},
    },
    store::{
        self, Store,
        rejected::{Placed, RejectedGroup, RejectedRaw, Shelf},
    },
};

/// How long before its lines a ride may have begun, as far as its readings are looked for: the bike's counter is believed
/// for two days.
const LONGEST_RIDE: LogInstant = 2 * 24 * 3600 * SECOND;

const NO_BIKE: &str =
    "it can be read, but not which bike it came from: it was set aside by a program that did not keep that";

/// Replays every rejected line, or those of one topic or file. Doing it again changes nothing.
///
/// # Errors
/// When the store cannot be read or written. What was put in place until then stays, each chunk of lines with its counts.
pub fn replay(store: &Store, rules: &Rules, zone: Tz, topic: Option<&str>) -> store::Result<Replayed> {
    let mut all = Replayed::default();
    for group in store.rejected_groups(topic)? {
        let mut after = i64::MIN;
        let place = |lines: &[RejectedRaw], shelf: &Shelf<'_>| place(&group, lines, shelf, rules, zone);
        while let Some((last, replayed)) = store.replay_rejected(&group, after, &rules.day, place)? {
            all.add(replayed);
            after = last;
        }
    }
    Ok(all)
}

/// One line, understood.
struct Line<'e> {
    offset: i64,
    /// The day it was counted for so far.
    set_aside_for: Option<NaiveDate>,
    event: Event<'e>,
    user: Option<Box<UserData>>,
}

/// Finds the places of a bike's lines.
fn place(
    group: &RejectedGroup,
    lines: &[RejectedRaw],
    shelf: &Shelf<'_>,
    rules: &Rules,
    zone: Tz,
) -> store::Result<Placed> {
    let mut parser = Parser::new(zone);
    let mut placed = Placed::default();
    let mut refuse = |offset: i64, reason: String| placed.refused.push((offset, reason));
    let envelopes: Vec<_> = lines.iter().map(|line| open_envelope(&line.raw)).collect();
    let mut by_bike: BTreeMap<String, Vec<Line<'_>>> = BTreeMap::new();
    let nameless = nameless(group.partition);
    let only_bike = match &group.bike_serial {
        Some(bike) => Some(bike.clone()),
        None => shelf.only_bike()?,
    };
    for (line, envelope) in lines.iter().zip(&envelopes) {
        let read = || -> Result<_, ParseError> {
            let envelope = envelope.as_ref().map_err(|&error| error)?;
            let (event, user) = understand(&mut parser, envelope, line.written_at, line.received_at)?;
            Ok((event, user, envelope.key.as_deref()))
        };
        let (event, user, key) = match { read }() {
            Ok(read) => read,
            Err(reason) => {
                refuse(line.offset, reason.to_string());
                continue;
            }
        };
        // An envelope that could not be opened then may name the bike now.
        let known = only_bike.as_deref().filter(|bike| *bike != nameless);
        let Some(bike) = known.or(key).or(group.bike_serial.as_deref()) else {
            refuse(line.offset, NO_BIKE.to_owned());
            continue;
        };
        by_bike.entry(bike.to_owned()).or_default().push(Line {
            offset: line.offset,
            set_aside_for: line.business_day,
            event,
            user,
        });
    }
    for (bike, lines) in by_bike {
        Replay::of(&bike, group, shelf, rules, &lines)?.run(lines, &mut placed)?;
    }
    Ok(placed)
}

/// The lines of one bike on their way.
struct Replay<'r> {
    bike: &'r str,
    shelf: &'r Shelf<'r>,
    rules: &'r Rules,
    partition: i32,
    /// The bike's rides around these lines, by their start.
    rides: Vec<Stored>,
    /// For what belongs to none of them.
    sessions: Sessions,
    batch: Batch,
    /// The day of the line at hand.
    day: NaiveDate,
    completed: i64,
}

/// A stored ride, with the readings once they were asked for.
struct Stored {
    ride: Ride,
    readings: Option<BTreeMap<i32, Reading>>,
    /// It was joined midway: it has lines from before its start. Its id and its start stay, whatever is found.
    was_joined: bool,
    is_changed: bool,
}

impl Stored {
    fn readings(&mut self, shelf: &Shelf<'_>) -> store::Result<&mut BTreeMap<i32, Reading>> {
        if self.readings.is_none() {
            let stored = shelf.readings(self.ride.ride_id)?;
            self.readings = Some(stored.into_iter().map(|reading| (reading.second, reading)).collect());
        }
        Ok(self.readings.get_or_insert_default())
    }

    fn started_at(&self) -> LogInstant {
        self.ride.started_at.timestamp_micros()
    }

    /// When its counter was zero: its start, or where a ride that was joined midway has its start by its first reading.
    fn counted_from(&mut self, shelf: &Shelf<'_>) -> store::Result<LogInstant> {
        let started_at = self.started_at();
        let first = self.readings(shelf)?.values().find(|reading| !is_guessed(reading));
        Ok(first.map_or(started_at, |first| {
            started_at.min(first.at - i64::from(first.second) * SECOND)
        }))
    }
}

impl<'r> Replay<'r> {
    fn of(
        bike: &'r str,
        group: &RejectedGroup,
        shelf: &'r Shelf<'r>,
        rules: &'r Rules,
        lines: &[Line<'_>],
    ) -> store::Result<Self> {
        let stamps = || lines.iter().filter_map(|line| line.event.at());
        let around = stamps().min().zip(stamps().max());
        // A ride that was joined midway began long before its first line.
        let rides = match around {
            Some((from, to)) => shelf.rides(bike, from - rules.idle_micros(), to + LONGEST_RIDE)?,
            None => Vec::new(),
        };
        Ok(Replay {
            bike,
            shelf,
            rules,
            partition: group.partition,
            rides: rides.into_iter().map(Stored::from).collect(),
            sessions: Sessions::new(group.partition),
            batch: Batch::default(),
            day: NaiveDate::default(),
            completed: 0,
        })
    }

    fn run(mut self, lines: Vec<Line<'_>>, placed: &mut Placed) -> store::Result<()> {
        for line in lines {
            placed.offsets.push(line.offset);
            *placed.set_aside.entry(line.set_aside_for).or_default() += 1;
            self.day = match line.event.at() {
                Some(at) => self.rules.day.day_of(instant(at)),
                None => line.set_aside_for.unwrap_or(self.day),
            };
            self.batch.counts(self.partition, self.day).messages += 1;
            self.line(line, placed)?;
        }
        let closing = self.sessions.close_all(self.rules, &mut self.batch);
        self.batch.counts(self.partition, self.day).add(&closing);
        self.adopt()?;
        for (day, counts) in &self.batch.position(self.partition).counts {
            placed.counts.entry(*day).or_default().add(counts);
        }
        placed.completed_readings += self.completed;
        placed.riders.append(&mut self.batch.riders);
        let day = self.rules.day;
        let changed = self.rides.into_iter().filter(|stored| stored.is_changed);
        placed.rides.extend(changed.map(|stored| {
            let readings: Vec<Reading> = stored.readings.unwrap_or_default().into_values().collect();
            let mut totals = Totals::default();
            readings.iter().for_each(|reading| totals.add(reading));
            let last = readings.iter().map(|reading| reading.at).max().map(instant);
            let ended_at = stored.ride.ended_at.map(|ended_at| last.unwrap_or(ended_at));
            let ride = Ride {
                totals,
                ended_at,
                business_day: ended_at.map(|at| day.day_of(at)),
                ..stored.ride
            };
            (ride, readings)
        }));
        Ok(())
    }

    fn line(&mut self, line: Line<'_>, placed: &mut Placed) -> store::Result<()> {
        let found = match line.event {
            Event::BeginningOfMain | Event::BeginningOfRide => None,
            Event::GettingUserData { at } => self.begun_at(at, None)?,
            Event::System { at, .. } => self.begun_at(at, line.user.as_ref().map(|user| user.rider.rider_id))?,
            Event::Ride { at, second, .. } => self.ride_at(at, Some(second))?,
            Event::Telemetry { at, .. } => self.ride_at(at, None)?,
        };
        let Some(found) = found else {
            let arrival = Arrival {
                key: self.bike.as_bytes(),
                offset: line.offset,
                // What is replayed warns nobody.
                raise: Raise::Later,
                is_taken_over: false,
            };
            let counts = self
                .sessions
                .apply(self.rules, &line.event, line.user, arrival, &mut self.batch);
            self.batch.counts(self.partition, self.day).add(&counts);
            return Ok(());
        };
        match line.event {
            Event::BeginningOfMain | Event::BeginningOfRide => {}
            Event::GettingUserData { .. } => self.batch.counts(self.partition, self.day).user_data_lines += 1,
            Event::System { .. } => {
                self.batch.counts(self.partition, self.day).system_lines += 1;
                if let Some(user) = line.user {
                    self.name(found, &user)?;
                    placed.riders.push((user.rider, self.rides[found].started_at()));
                }
            }
            Event::Ride { at, second, resistance } => self.ride_line(found, at, second, resistance)?,
            Event::Telemetry {
                at,
                heart_rate_bpm,
                cadence_rpm,
                power_watts,
            } => {
                let values = Reading {
                    heart_rate_bpm: heart_rate_bpm.filter(|&bpm| bpm > 0),
                    is_dropout: heart_rate_bpm == Some(0),
                    cadence_rpm,
                    power_watts,
                    is_flagged: self.rules.bounds.are_exceeded(power_watts, cadence_rpm, heart_rate_bpm),
                    has_telemetry_line: true,
                    ..empty(self.rides[found].ride.ride_id, 0, at)
                };
                self.telemetry_line(found, at, values)?;
            }
        }
        Ok(())
    }

    /// The ride whose header a line is of: one of that rider that began then, or one without a rider that may have.
    fn begun_at(&mut self, at: LogInstant, rider_id: Option<i64>) -> store::Result<Option<usize>> {
        let mut nearest = None;
        for (place, stored) in self.rides.iter_mut().enumerate() {
            let (within, began) = match stored.ride.rider_id {
                None => (self.rules.idle_micros(), stored.counted_from(self.shelf)?),
                Some(rider) if rider_id.is_none_or(|found| found == rider) => (DRIFT, stored.started_at()),
                Some(_) => continue,
            };
            let distance = (began - at).abs().min((stored.started_at() - at).abs());
            if distance <= within && nearest.is_none_or(|(_, nearest)| distance < nearest) {
                nearest = Some((place, distance));
            }
        }
        Ok(nearest.map(|(place, _)| place))
    }

    /// The ride that a line belongs to by its stamp, and by its second if it tells one.
    fn ride_at(&mut self, at: LogInstant, second: Option<i32>) -> store::Result<Option<usize>> {
        let idle = self.rules.idle_micros();
        for (place, stored) in self.rides.iter_mut().enumerate().rev() {
            // Without its readings, which are costly to look up, as far as that goes.
            let is_before = !stored.was_joined && at < stored.started_at() - DRIFT;
            let is_after = |ended_at: DateTime<Utc>| at > ended_at.timestamp_micros() + idle;
            if is_before || stored.ride.ended_at.is_some_and(is_after) {
                continue;
            }
            let counted_from = stored.counted_from(self.shelf)?;
            let readings = stored.readings(self.shelf)?;
            let last = readings.values().map(|reading| reading.at).max();
            let last = last.unwrap_or(counted_from);
            if at < counted_from - DRIFT || at > last + idle {
                continue;
            }
            let Some(second) = second else { return Ok(Some(place)) };
            let counted = |(_, reading): &(&i32, &Reading)| !is_guessed(reading);
            let before = readings.range(..=second).rfind(counted).map(|(_, reading)| reading);
            let after = readings.range(second..).find(counted).map(|(_, reading)| reading);
            let fits = match (before, after) {
                (Some(before), Some(after)) => (before.at - PAIR..=after.at + PAIR).contains(&at),
                (Some(edge), None) | (None, Some(edge)) => {
                    (at - edge.at - i64::from(second - edge.second) * SECOND).abs() <= idle
                }
                (None, None) => (at - counted_from - i64::from(second) * SECOND).abs() <= idle,
            };
            if fits {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// A header names the rider of a ride that had none.
    fn name(&mut self, found: usize, user: &UserData) -> store::Result<()> {
        let stored = &mut self.rides[found];
        if stored.ride.rider_id.is_none() {
            stored.readings(self.shelf)?;
            stored.ride.rider_id = Some(user.rider.rider_id);
            stored.ride.is_partial = false;
            if let Some(serial) = &user.bike_serial {
                stored.ride.bike_serial.clone_from(serial);
            }
            stored.is_changed = true;
        }
        Ok(())
    }

    fn ride_line(&mut self, found: usize, at: LogInstant, second: i32, resistance: Option<i32>) -> store::Result<()> {
        let stored = &mut self.rides[found];
        let ride_id = stored.ride.ride_id;
        let readings = stored.readings(self.shelf)?;
        if readings.get(&second).is_some_and(|there| !is_guessed(there)) {
            self.batch.counts(self.partition, self.day).duplicate_lines += 1;
            return Ok(());
        }
        let is_other_half = |half: &&Reading| is_guessed(half) && (0..SECOND).contains(&(half.at - at));
        let half = readings.values().find(is_other_half).map(|half| half.second);
        let half = half.and_then(|half| readings.remove(&half));
        let reading = match half {
            Some(half) => {
                self.completed += 1;
                half
            }
            None => {
                self.batch.counts(self.partition, self.day).readings += 1;
                empty(ride_id, second, at)
            }
        };
        let reading = Reading {
            second,
            at,
            resistance,
            has_ride_line: true,
            ..reading
        };
        // Whatever was thought to be this second is a later one: which, its stamp says.
        if let Some(guessed) = readings.insert(second, reading) {
            let seconds = i32::try_from((guessed.at - at) / SECOND).unwrap_or(0).max(1);
            let free = (second + seconds..).find(|second| !readings.contains_key(second));
            let second = free.unwrap_or(second);
            readings.insert(second, Reading { second, ..guessed });
        }
        self.batch.counts(self.partition, self.day).ride_lines += 1;
        stored.is_changed = true;
        Ok(())
    }

    fn telemetry_line(&mut self, found: usize, at: LogInstant, values: Reading) -> store::Result<()> {
        let stored = &mut self.rides[found];
        let readings = stored.readings(self.shelf)?;
        let before = readings.values().filter(|reading| reading.at <= at);
        let before = before
            .max_by_key(|reading| reading.at)
            .map_or(0, |reading| reading.second);
        let next = before + 1;
        let is_taken = readings.contains_key(&next);
        match readings.get_mut(&before) {
            Some(half) if at - half.at < SECOND && !has_telemetry(half) => {
                *half = Reading {
                    second: half.second,
                    at: half.at,
                    resistance: half.resistance,
                    has_ride_line: true,
                    ..values
                };
                self.completed += 1;
            }
            Some(whole) if at - whole.at < SECOND => {
                self.batch.counts(self.partition, self.day).duplicate_lines += 1;
                return Ok(());
            }
            _ if is_taken => {
                self.batch.counts(self.partition, self.day).duplicate_lines += 1;
                return Ok(());
            }
            _ => {
                readings.insert(next, Reading { second: next, ..values });
                self.batch.counts(self.partition, self.day).readings += 1;
            }
        }
        self.batch.counts(self.partition, self.day).telemetry_lines += 1;
        stored.is_changed = true;
        Ok(())
    }

    /// Takes over what the state machine made of the rest.
    fn adopt(&mut self) -> store::Result<()> {
        let newest: HashMap<Uuid, Ride> = self.batch.rides.drain(..).map(|ride| (ride.ride_id, ride)).collect();
        let made: Vec<Uuid> = newest.keys().copied().collect();
        let known: HashSet<Uuid> = self.rides.iter().map(|stored| stored.ride.ride_id).collect();
        // One that the store holds without any reading near these lines.
        let mut others = self.shelf.rides_called(&made)?;
        others.retain(|ride| !known.contains(&ride.ride_id));
        self.rides.extend(others.into_iter().map(Stored::from));
        for ride in newest.into_values() {
            if !self.rides.iter().any(|stored| stored.ride.ride_id == ride.ride_id) {
                self.rides.push(Stored {
                    ride: Ride { alert_count: 0, ..ride },
                    readings: Some(BTreeMap::new()),
                    was_joined: false,
                    is_changed: true,
                });
            }
        }
        for reading in std::mem::take(&mut self.batch.readings) {
            let Some(stored) = self
                .rides
                .iter_mut()
                .find(|stored| stored.ride.ride_id == reading.ride_id)
            else {
                continue;
            };
            match stored.readings(self.shelf)?.entry(reading.second) {
                Entry::Occupied(_) => {
                    let day = self.rules.day.day_of(instant(reading.at));
                    self.batch.counts(self.partition, day).take_for_repeated(&reading);
                }
                Entry::Vacant(place) => {
                    place.insert(reading);
                    stored.is_changed = true;
                }
            }
        }
        Ok(())
    }
}

impl From<Ride> for Stored {
    fn from(ride: Ride) -> Self {
        Stored {
            was_joined: ride.is_partial,
            ride,
            readings: None,
            is_changed: false,
        }
    }
}

fn has_telemetry(reading: &Reading) -> bool {
    reading.heart_rate_bpm.is_some()
        || reading.is_dropout
        || reading.cadence_rpm.is_some()
        || reading.power_watts.is_some()
}

/// Whether its second is not the bike's own: it has no Ride line, so it was taken for the one after the last.
fn is_guessed(reading: &Reading) -> bool {
    reading.resistance.is_none() && has_telemetry(reading)
}

/// A reading without any value.
fn empty(ride_id: Uuid, second: i32, at: LogInstant) -> Reading {
    Reading {
        ride_id,
        second,
        at,
        resistance: None,
        heart_rate_bpm: None,
        is_dropout: false,
        cadence_rpm: None,
        power_watts: None,
        is_flagged: false,
        has_ride_line: false,
        has_telemetry_line: false,
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
