//! When each bike is used, and by whom: a pure function of seed, bike and day.
//!
//! Rides come in visits: one rider, one to eighteen rides back to back. Visits follow the rhythm of a working day. The
//! last ride of a day may run past midnight; none begins in a day's first minutes, so days never overlap and any one
//! can be made on its own.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Timelike, Utc, Weekday};

use super::{
    dice::{Dice, Purpose},
    fleet::FleetConfig,
    programme::{EASING_LEVELS, SPRINT_LEVELS},
    ride::RidePlan,
};
use crate::domain::day::{DayRule, Span};

/// How busy each local hour is.
const RHYTHM: [f64; 24] = [
    0.25, 0.15, 0.1, 0.1, 0.2, 0.6, 1.6, 4.2, 3.6, 0.9, 0.7, 0.9, 4.4, 1.6, 0.7, 0.8, 1.6, 4.4, 4.8, 4.0, 1.6, 1.1,
    0.8, 0.4,
];
/// Riders who use one bike. A rider keeps to one bike, so nobody rides two at once.
const RIDERS_PER_BIKE: u32 = 30;
/// No bike fits more rides than this into a day.
const RIDES_PER_BIKE_MAX: u32 = 120;
/// A day's first ride waits this long, longer than the longest ride of the evening before can run past midnight.
const QUIET_START: TimeDelta = TimeDelta::seconds(560);
/// For so long after its start a demo's bikes are ridden all the time.
const DEMO_LENGTH: TimeDelta = TimeDelta::hours(1);
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The day rule of the simulator's calendar days.
pub(super) fn day_rule(config: &FleetConfig) -> DayRule {
    DayRule {
        timezone: config.timezone,
        ..DayRule::default()
    }
}

/// Microseconds from one line of this bike to the next: every bike's clock is off by its own 0.0 … 1.0 ms, 0.5 ms on
/// the whole.
pub(super) fn slot_micros(seed: u64, bike: u32) -> i64 {
    500_009 + i64::from(Dice::new(seed, Purpose::Bike, bike.into(), 0).below(983))
}

/// What a day asks of every bike; made once a day, not once a bike.
pub(super) struct DayShape {
    span: Span,
    /// Rides of the whole fleet, an upper bound.
    rides: u32,
    /// Which bike gets the first of the rides that do not divide evenly.
    first_bike: u32,
    /// Busyness of each hour of the span.
    hours: Vec<f64>,
}

impl DayShape {
    pub(super) fn new(config: &FleetConfig, day: NaiveDate) -> Self {
        let span = day_rule(config).span(day);
        let mut dice = Dice::new(config.seed, Purpose::Day, day_number(day), 0);
        let is_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let busy = if is_weekend {
            dice.within(0.7, 0.9)
        } else {
            dice.within(0.8, 1.0)
        };
        let hours = (0..span.hours())
            .map(|hour| {
                let local = (span.start + TimeDelta::hours(hour))
                    .with_timezone(&config.timezone)
                    .hour();
                // People sleep in at weekends.
                RHYTHM[if is_weekend { (local + 22) % 24 } else { local } as usize]
            })
            .collect();
        DayShape {
            span,
            rides: (f64::from(config.rides_per_day_max) * busy) as u32,
            first_bike: dice.below(config.bikes),
            hours,
        }
    }
}

/// The rides that `bike` begins on `day`, in order.
pub(super) fn rides_of_day(
    config: &FleetConfig,
    bike: u32,
    slot_micros: i64,
    day: NaiveDate,
    shape: &DayShape,
) -> Vec<RidePlan> {
    let place = (bike + shape.first_bike) % config.bikes;
    let share = shape.rides / config.bikes + u32::from(place < shape.rides % config.bikes);
    let mut dice = Dice::new(config.seed, Purpose::Plan, bike.into(), day_number(day));
    let share = share - (f64::from(share) * dice.within(0.0, 0.25)) as u32;
    let mut visits = Vec::new();
    let mut left = share.min(RIDES_PER_BIKE_MAX);
    while left > 0 {
        let rides = run_length(&mut dice).min(left);
        left -= rides;
        let hour = dice.weighted(shape.hours.iter().copied()) as i64;
        let into_hour = i64::from(dice.below(3_600_000)) * 1000 + i64::from(dice.below(1000));
        let at = shape.span.start.timestamp_micros() + hour * 3600 * MICROS_PER_SECOND + into_hour;
        visits.push((at, rides));
    }
    visits.sort_unstable();
    let mut free = (shape.span.start + QUIET_START).timestamp_micros();
    let mut plans = Vec::with_capacity(share as usize);
    for (at, rides) in visits {
        free = add_visit(&mut dice, bike, at.max(free), rides, slot_micros, &mut plans);
        free += i64::from(dice.between(20, 240)) * MICROS_PER_SECOND;
    }
    plans.retain(|plan| plan.start_micros < shape.span.end.timestamp_micros());
    plans
}

/// The rides that `bike` begins in the first hour of a demo that starts at `from`: a third of the bikes within 20 s, all
/// within a minute, one visit after another.
pub(super) fn rides_of_demo(config: &FleetConfig, bike: u32, slot_micros: i64, from: DateTime<Utc>) -> Vec<RidePlan> {
    let mut dice = Dice::new(config.seed, Purpose::Demo, bike.into(), from.timestamp_micros() as u64);
    let wait_millis = if bike.is_multiple_of(2) {
        dice.between(300, 18_000)
    } else {
        dice.between(18_000, 55_000)
    };
    let mut free = from.timestamp_micros() + i64::from(wait_millis) * 1000 + i64::from(dice.below(1000));
    let end = (from + DEMO_LENGTH).timestamp_micros();
    let mut plans = Vec::new();
    while free < end {
        let rides = run_length(&mut dice);
        free = add_visit(&mut dice, bike, free, rides, slot_micros, &mut plans);
        free += i64::from(dice.between(10, 90)) * MICROS_PER_SECOND;
    }
    plans.retain(|plan| plan.start_micros < end);
    plans
}

/// One in three riders rides once, one in twenty for more than two hours.
fn run_length(dice: &mut Dice) -> u32 {
    let mut rides = 1;
    while rides < 18 && dice.chance(0.7) {
        rides += 1;
    }
    rides
}

/// Adds a rider's rides from `start` on and returns the end of the last.
fn add_visit(dice: &mut Dice, bike: u32, start: i64, rides: u32, slot_micros: i64, plans: &mut Vec<RidePlan>) -> i64 {
    // Some riders of a bike come far more often than others.
    let often = dice.unit();
    let person = bike * RIDERS_PER_BIKE + (often * often * f64::from(RIDERS_PER_BIKE)) as u32;
    let sprint_level = dice.between(SPRINT_LEVELS.0, SPRINT_LEVELS.1);
    let easing_level = dice.between(EASING_LEVELS.0, EASING_LEVELS.1);
    let mut at = start;
    for ride in 0..rides {
        let seconds = if dice.chance(0.85) {
            dice.between(517, 520)
        } else {
            dice.between(179, 506)
        };
        let plan = RidePlan {
            start_micros: at,
            seconds,
            person,
            sprint_level,
            easing_level,
            is_warm: ride > 0,
        };
        at = plan.end_micros(slot_micros);
        plans.push(plan);
    }
    at
}

fn day_number(day: NaiveDate) -> u64 {
    (day - NaiveDate::MIN).num_days().unsigned_abs()
}

/// One bike's rides over a span of time, a day at a time.
pub(super) struct BikeSchedule {
    config: Arc<FleetConfig>,
    bike: u32,
    pub(super) slot_micros: i64,
    next_day: NaiveDate,
    last_day: NaiveDate,
    /// The rides of the day at hand, last first.
    rides: Vec<RidePlan>,
}

/// Makes each day's shape once for all bikes, which ask for days in about the same order.
pub(super) struct DayShapes {
    config: Arc<FleetConfig>,
    recent: Vec<(NaiveDate, Arc<DayShape>)>,
}

impl DayShapes {
    pub(super) fn new(config: Arc<FleetConfig>) -> Self {
        DayShapes {
            config,
            recent: Vec::new(),
        }
    }

    fn get(&mut self, day: NaiveDate) -> Arc<DayShape> {
        if let Some((_, shape)) = self.recent.iter().find(|(known, _)| *known == day) {
            return Arc::clone(shape);
        }
        if self.recent.len() == 4 {
            self.recent.remove(0);
        }
        let shape = Arc::new(DayShape::new(&self.config, day));
        self.recent.push((day, Arc::clone(&shape)));
        shape
    }
}

impl BikeSchedule {
    pub(super) fn new(config: Arc<FleetConfig>, bike: u32, span: Span) -> Self {
        let rule = day_rule(&config);
        let slot_micros = slot_micros(config.seed, bike);
        // The evening before may reach into the span.
        let next_day = rule.day_of(span.start) - Days::new(1);
        let last_day = rule.day_of(span.end);
        BikeSchedule {
            config,
            bike,
            slot_micros,
            next_day,
            last_day,
            rides: Vec::new(),
        }
    }

    /// The next ride with a line at `from` or later; none after the last day.
    pub(super) fn next_ride(&mut self, from: i64, shapes: &mut DayShapes) -> Option<RidePlan> {
        loop {
            while let Some(ride) = self.rides.pop() {
                if ride.end_micros(self.slot_micros) - self.slot_micros >= from {
                    return Some(ride);
                }
            }
            if self.next_day > self.last_day {
                return None;
            }
            self.rides = self.rides_begun_on(self.next_day, shapes);
            self.rides.reverse();
            self.next_day = self.next_day + Days::new(1);
        }
    }

    fn rides_begun_on(&self, day: NaiveDate, shapes: &mut DayShapes) -> Vec<RidePlan> {
        let shape = shapes.get(day);
        let mut rides = rides_of_day(&self.config, self.bike, self.slot_micros, day, &shape);
        let end = |ride: &RidePlan| ride.end_micros(self.slot_micros);
        if let Some(opens) = self.config.opens_at {
            rides.retain(|ride| ride.start_micros >= opens.timestamp_micros());
        }
        if let Some(from) = self.config.demo_from {
            // Nothing is under way when a demo begins, and the day goes on after its rides.
            let from_micros = from.timestamp_micros();
            let demo = rides_of_demo(&self.config, self.bike, self.slot_micros, from);
            let demo_end = demo.last().map_or(from_micros, end);
            rides.retain(|ride| end(ride) <= from_micros || ride.start_micros >= demo_end);
            let belongs = |ride: &RidePlan| {
                (shape.span.start.timestamp_micros()..shape.span.end.timestamp_micros()).contains(&ride.start_micros)
            };
            rides.extend(demo.into_iter().filter(belongs));
            rides.sort_unstable_by_key(|ride| ride.start_micros);
        }
        rides
    }
}
