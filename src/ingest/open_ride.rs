//! One ride while its readings come in, and for as long afterwards as it may still be reopened.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sessionize::{Rules, instant};
use crate::domain::{
    day::DayRule,
    erasure::Tombstones,
    event::LogInstant,
    heart_rate::{Alert, AlertRule, Direction, Limits, Monitor, Raise, Warned},
    live::{LiveBoard, LiveRide, LiveSecond},
    ride::{EndReason, Reading, Ride, Totals},
    rider::{Gender, Rider, split_name},
};

/// A Telemetry line without its Ride line says nothing of its second: after a longer pause it is not this ride's.
const MAX_PAUSE: LogInstant = 3600 * 1_000_000;

/// A ride's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenRide {
    /// Its id.
    pub ride_id: Uuid,
    /// Its bike.
    pub bike_serial: String,
    /// None until a header names the rider.
    pub rider_id: Option<i64>,
    /// The rider's name as received, for the live dashboard.
    name: Option<String>,
    /// The rider's age at the start.
    pub age: Option<i32>,
    gender: Gender,
    height_cm: Option<i32>,
    weight_kg: Option<i32>,
    /// Where the rider is mailed.
    email_address: Option<String>,
    is_mailed: bool,
    /// It was erased while it was under way, or comes again: nothing of it is kept, and who rides is forgotten.
    is_erased: bool,
    /// The header's instant, else the first line's.
    pub started_at: LogInstant,
    /// Offset of the header's first line.
    pub header_offset: i64,
    /// None while it is open.
    pub end_reason: Option<EndReason>,
    /// Where the bike's counter stands since the last header, and when it got there.
    pub last_second: i32,
    last_second_at: LogInstant,
    /// The newest reading's instant.
    pub last_reading_at: LogInstant,
    /// What the readings add up to.
    pub totals: Totals,
    /// Alerts recorded.
    pub alert_count: i32,
    /// The newest reading's values, for the live dashboard.
    last: LastValues,
    /// What the live dashboard was told of it.
    #[serde(skip)]
    shown: Shown,
    /// Whose it is, if it ended in a stretch that another consumer had read before.
    pub elsewhere: Elsewhere,
    /// Stamp of the `[SYSTEM]` line that named the rider.
    pub system_at: Option<LogInstant>,
    limits: Limits,
    monitor: Monitor,
    /// One bit a second.
    seen: Vec<u64>,
}

/// What the live dashboard was told of a ride.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    /// How many readings it had then.
    readings: i32,
    /// Whether who rides, or within which limits, was still the same.
    is_rider_known: bool,
}

/// Whether a ride is in the store of its partition's former owner, not in this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Elsewhere {
    /// It is ours.
    No,
    /// It will be, unless it goes on before the end of what was taken over: its end is provisional.
    Perhaps,
    /// It is.
    Yes,
}

/// The newest reading's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct LastValues {
    heart_rate_bpm: Option<i32>,
    power_watts: Option<f64>,
    cadence_rpm: Option<i32>,
    resistance: Option<i32>,
}

impl OpenRide {
    /// A ride that has just begun, its rider not known yet.
    #[must_use]
    pub fn new(ride_id: Uuid, bike_serial: &str, started_at: LogInstant, header_offset: i64) -> Self {
        OpenRide {
            ride_id,
            bike_serial: bike_serial.to_owned(),
            rider_id: None,
            name: None,
            age: None,
            gender: Gender::Unknown,
            height_cm: None,
            weight_kg: None,
            email_address: None,
            is_mailed: true,
            is_erased: false,
            started_at,
            header_offset,
            end_reason: None,
            last_second: 0,
            last_second_at: started_at,
            last_reading_at: started_at,
            totals: Totals::default(),
            alert_count: 0,
            last: LastValues::default(),
            shown: Shown::default(),
            elsewhere: Elsewhere::No,
            system_at: None,
            limits: Limits::default(),
            monitor: Monitor::default(),
            seen: Vec::new(),
        }
    }

    /// Whether it is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.end_reason.is_none()
    }

    /// Brings the limits up to date, and whether the rider is mailed.
    pub fn set_limits(&mut self, rules: &Rules) {
        let Some(rider_id) = self.rider_id else { return };
        let own = rules.riders.get(&rider_id).copied().unwrap_or_default();
        self.limits = rules.alerts.limits(self.age, self.gender, own);
        self.is_mailed = own.is_mailed;
        self.shown.is_rider_known = false;
    }

    /// Whether nothing of it is kept.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.is_erased
    }

    /// Forgets who rides, if the ride was erased. The rider's number stays: by it the store knows what not to keep.
    pub fn forget_if_erased(&mut self, tombstones: &Tombstones) {
        if tombstones.cover(self.ride_id, self.rider_id, instant(self.started_at)) {
            let forgotten = OpenRide::new(self.ride_id, &self.bike_serial, self.started_at, self.header_offset);
            self.is_erased = true;
            (self.name, self.email_address) = (forgotten.name, forgotten.email_address);
            (self.age, self.gender) = (forgotten.age, forgotten.gender);
            (self.height_cm, self.weight_kg) = (forgotten.height_cm, forgotten.weight_kg);
            (self.limits, self.monitor) = (forgotten.limits, forgotten.monitor);
        }
    }

    /// Tells the live dashboard of its newest second, if it was not told of that one.
    pub fn show(&mut self, board: &LiveBoard, rule: &AlertRule) {
        if self.is_erased || self.shown.readings == self.totals.reading_count {
            return;
        }
        let now = LiveSecond {
            at: instant(self.last_reading_at),
            second: self.last_second,
            heart_rate_bpm: self.last.heart_rate_bpm,
            standing: self.monitor.standing(rule, self.limits, self.last_second),
            power_watts: self.last.power_watts,
            cadence_rpm: self.last.cadence_rpm,
            resistance: self.last.resistance,
            energy_kilojoules: self.totals.energy_kilojoules(),
            power_watts_max: self.totals.power.max(),
        };
        let has_changed = !self.shown.is_rider_known;
        board.update(&self.bike_serial, self.ride_id, now, has_changed, || self.live_ride());
        self.shown = Shown {
            readings: self.totals.reading_count,
            is_rider_known: true,
        };
    }

    fn live_ride(&self) -> LiveRide {
        LiveRide {
            bike_serial: self.bike_serial.clone(),
            ride_id: self.ride_id,
            rider_id: self.rider_id,
            name: self.name.clone(),
            age: self.age,
            gender: self.gender,
            height_cm: self.height_cm,
            weight_kg: self.weight_kg,
            started_at: instant(self.started_at),
            limits: self.limits,
        }
    }

    /// Takes note of an alert that is stored: (direction, level, second, heart rate, limit).
    pub fn recall(&mut self, (direction, level, second, bpm, limit_bpm): (Direction, i32, i32, i32, i32)) {
        self.monitor.recall(direction, level, second, bpm, limit_bpm);
    }

    /// A header named the rider: the counter begins anew, and a ride that was over is not.
    pub fn identify(&mut self, rider: &Rider, age: Option<i32>, rules: &Rules, system_at: LogInstant) {
        self.system_at = Some(system_at);
        self.rider_id = Some(rider.rider_id);
        self.name.clone_from(&rider.name);
        self.age = age;
        self.gender = rider.gender;
        (self.height_cm, self.weight_kg) = (rider.height_cm, rider.weight_kg);
        self.email_address = rider.email_address.clone();
        self.set_limits(rules);
        self.forget_if_erased(&rules.tombstones);
        (self.last_second, self.last_second_at) = (0, self.started_at);
        self.reopen();
    }

    /// The counter was seen at `second`; it never goes back but by a header.
    pub fn advance(&mut self, second: i32, at: LogInstant) {
        if second > self.last_second {
            (self.last_second, self.last_second_at) = (second, at);
        }
    }

    /// The end was provisional.
    pub fn reopen(&mut self) {
        self.end_reason = None;
    }

    /// Whether `second` is there already.
    #[must_use]
    pub fn has_seen(&self, second: i32) -> bool {
        let (word, bit) = position(second);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether the counter went down although the clock went on: the header of a new ride was missed. A repeated or
    /// late line has the stamp that its second should have.
    #[must_use]
    pub fn counter_restarted(&self, at: LogInstant, second: Option<i32>, drift: LogInstant) -> bool {
        match second {
            Some(second) if second <= self.last_second => {
                at > self.last_second_at && (at - self.expected_at(second)).abs() > drift
            }
            _ => false,
        }
    }

    /// Whether a line after the end is this ride's: its counter's next second, or where the counter would be by now.
    #[must_use]
    pub fn continues(&self, at: LogInstant, second: Option<i32>, drift: LogInstant) -> bool {
        match second {
            Some(second) => second == self.last_second + 1 || (at - self.expected_at(second)).abs() <= drift,
            None => at - self.last_reading_at <= MAX_PAUSE,
        }
    }

    /// Where the log's clock should be at `second`: a second of riding is close to one of wall time.
    fn expected_at(&self, second: i32) -> LogInstant {
        self.last_second_at + i64::from(second - self.last_second) * 1_000_000
    }

    /// Adds a reading; answers the alert it raises.
    pub fn add(&mut self, reading: &Reading, rule: &AlertRule, raise: Raise) -> Option<Alert> {
        let (word, bit) = position(reading.second);
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        self.seen[word] |= bit;
        self.totals.add(reading);
        self.advance(reading.second, reading.at);
        self.last_reading_at = if self.totals.reading_count == 1 {
            reading.at
        } else {
            self.last_reading_at.max(reading.at)
        };
        self.last = LastValues {
            heart_rate_bpm: reading.heart_rate_bpm,
            power_watts: reading.power_watts,
            cadence_rpm: reading.cadence_rpm,
            resistance: reading.resistance.or(self.last.resistance),
        };
        if self.is_erased {
            return None;
        }
        let raised = self
            .monitor
            .observe(rule, self.limits, reading.second, reading.heart_rate_bpm, raise)?;
        let rider_id = self.rider_id?;
        self.alert_count += 1;
        Some(Alert {
            ride_id: self.ride_id,
            rider_id,
            raised_at: reading.at,
            second: reading.second,
            raised,
            warned: Warned {
                forename: self
                    .name
                    .as_deref()
                    .and_then(|name| split_name(name).0)
                    .map(str::to_owned),
                age: self.age,
                // Whoever read it first has mailed.
                email_address: self
                    .email_address
                    .clone()
                    .filter(|_| self.is_mailed && raise == Raise::Now),
            },
            mail: None,
        })
    }

    /// The ride's row as it now stands.
    #[must_use]
    pub fn row(&self, day: &DayRule) -> Ride {
        let ended_at = self.end_reason.map(|_| instant(self.last_reading_at));
        Ride {
            ride_id: self.ride_id,
            business_day: ended_at.map(|at| day.day_of(at)),
            bike_serial: self.bike_serial.clone(),
            rider_id: self.rider_id,
            started_at: instant(self.started_at),
            ended_at,
            end_reason: self.end_reason,
            is_partial: self.rider_id.is_none(),
            totals: self.totals,
            alert_count: self.alert_count,
        }
    }
}

fn position(second: i32) -> (usize, u64) {
    let second = usize::try_from(second).unwrap_or(0);
    (second / 64, 1 << (second % 64))
}
