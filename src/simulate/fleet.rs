//! All bikes together, in the order of time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    faults::{Faults, FaultyLines},
    ride::Player,
    schedule::{BikeSchedule, DayShapes},
};
use crate::domain::day::Span;

/// What makes one fleet differ from another. The same values mean the same bytes on any machine.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetConfig {
    /// Decides everything else.
    pub seed: u64,
    /// Bikes, serials `SN0001` and up.
    pub bikes: u32,
    /// Most rides that the fleet begins on one day.
    pub rides_per_day_max: u32,
    /// The zone of the riders' daily rhythm.
    pub timezone: Tz,
    /// No ride begins before this instant, so that a history that begins here has no ride joined midway.
    pub opens_at: Option<DateTime<Utc>>,
    /// A demo begins: nothing is under way at this instant, a third of the bikes start within 20 s, all within a minute,
    /// and they are ridden all the time for an hour; then the day goes on as usual.
    pub demo_from: Option<DateTime<Utc>>,
}

impl Default for FleetConfig {
    fn default() -> Self {
        FleetConfig {
            seed: 1,
            bikes: 24,
            rides_per_day_max: 1_000,
            timezone: Tz::Europe__London,
            opens_at: None,
            demo_from: None,
        }
    }
}

/// The bikes.
#[derive(Debug, Clone)]
pub struct Fleet {
    config: Arc<FleetConfig>,
}

/// One line of one bike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimLine<'a> {
    /// The instant the bike sends it: the slot's, also where the line has no stamp.
    pub at: DateTime<Utc>,
    /// The bike's number, from 0.
    pub bike: u32,
    /// The bike's serial: the Kafka key.
    pub serial: &'a str,
    /// The line, without its line feed.
    pub line: &'a str,
    /// A fault ate the envelope: the line goes out as it is.
    pub is_bare: bool,
}

impl Fleet {
    /// The fleet of this configuration. A fleet without bikes writes nothing.
    #[must_use]
    pub fn new(config: FleetConfig) -> Self {
        Fleet {
            config: Arc::new(config),
        }
    }

    /// What the fleet was made of.
    #[must_use]
    pub fn config(&self) -> &FleetConfig {
        &self.config
    }

    /// Every line whose slot lies in the span, in the order of time (bikes in their order where slots coincide). A ride
    /// under way at the span's start is joined midway.
    #[must_use]
    pub fn lines(&self, span: Span) -> Lines {
        self.lines_of_bikes(0..self.config.bikes, span)
    }

    /// The same for one bike, several times faster: nothing is merged.
    #[must_use]
    pub fn lines_of_bike(&self, bike: u32, span: Span) -> Lines {
        self.lines_of_bikes(bike..bike + 1, span)
    }

    /// Calls `each` with every line in the span, in the order of time.
    pub fn for_each_line(&self, span: Span, mut each: impl FnMut(DateTime<Utc>, &str, &str)) {
        let mut lines = self.lines(span);
        while let Some(line) = lines.next_line() {
            each(line.at, line.serial, line.line);
        }
    }

    fn lines_of_bikes(&self, bikes: std::ops::Range<u32>, span: Span) -> Lines {
        let mut lines = Lines {
            seed: self.config.seed,
            from: span.start.timestamp_micros(),
            until: span.end.timestamp_micros(),
            shapes: DayShapes::new(Arc::clone(&self.config)),
            bikes: Vec::with_capacity(bikes.len()),
            next: BinaryHeap::with_capacity(bikes.len()),
            line: Vec::with_capacity(512),
        };
        for bike in bikes {
            let schedule = BikeSchedule::new(Arc::clone(&self.config), bike, span);
            let mut state = Bike {
                number: bike,
                serial: serial(bike),
                schedule,
                player: None,
            };
            if let Some(at) = state.advance_to_next_ride(&mut lines) {
                lines.next.push(Reverse((at, lines.bikes.len() as u32)));
                lines.bikes.push(state);
            }
        }
        lines
    }
}

/// The serial of bike number `bike`.
#[must_use]
pub fn serial(bike: u32) -> String {
    format!("SN{:04}", bike + 1)
}

/// The lines of a span; see [`Fleet::lines`].
pub struct Lines {
    seed: u64,
    from: i64,
    until: i64,
    shapes: DayShapes,
    bikes: Vec<Bike>,
    /// When each bike writes next.
    next: BinaryHeap<Reverse<(i64, u32)>>,
    line: Vec<u8>,
}

struct Bike {
    number: u32,
    serial: String,
    schedule: BikeSchedule,
    player: Option<Box<Player>>,
}

impl Bike {
    /// Takes up the next ride and returns the instant of its first line in the span.
    fn advance_to_next_ride(&mut self, lines: &mut Lines) -> Option<i64> {
        let Lines {
            seed,
            from,
            until,
            shapes,
            line,
            ..
        } = lines;
        self.player = None;
        let plan = self.schedule.next_ride(*from, shapes)?;
        let mut player = Box::new(Player::new(*seed, self.number, plan, self.schedule.slot_micros));
        // Joined midway: chance has to take the same course as in the whole ride.
        while player.next_at().is_some_and(|at| at < *from) {
            line.clear();
            player.write_line(*seed, &self.serial, line);
        }
        let at = player.next_at().filter(|at| at < until)?;
        self.player = Some(player);
        Some(at)
    }
}

impl Lines {
    /// The next line; none at the end of the span.
    pub fn next_line(&mut self) -> Option<SimLine<'_>> {
        let mut top = self.next.peek_mut()?;
        let Reverse((at, index)) = *top;
        let bike = &mut self.bikes[index as usize];
        let player = bike.player.as_mut().expect("a bike in the queue is being ridden");
        self.line.clear();
        player.write_line(self.seed, &bike.serial, &mut self.line);
        match player.next_at() {
            Some(next) if next < self.until => *top = Reverse((next, index)),
            Some(_) => {
                PeekMut::pop(top);
            }
            None => {
                PeekMut::pop(top);
                self.start_next_ride(index);
            }
        }
        Some(SimLine {
            at: DateTime::from_timestamp_micros(at).expect("rides take place in years of four digits"),
            bike: self.bikes[index as usize].number,
            serial: &self.bikes[index as usize].serial,
            line: std::str::from_utf8(&self.line).expect("lines are made of ASCII"),
            is_bare: false,
        })
    }

    /// The same lines with faults, chosen by `seed`.
    #[must_use]
    pub fn with_faults(self, faults: Faults, seed: u64) -> FaultyLines {
        FaultyLines::new(self, faults, seed)
    }

    fn start_next_ride(&mut self, index: u32) {
        let bike = &mut self.bikes[index as usize];
        bike.player = None;
        if let Some(plan) = bike.schedule.next_ride(self.from, &mut self.shapes)
            && plan.start_micros < self.until
        {
            self.next.push(Reverse((plan.start_micros, index)));
            bike.player = Some(Box::new(Player::new(
                self.seed,
                bike.number,
                plan,
                bike.schedule.slot_micros,
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use chrono::{NaiveDate, NaiveDateTime, TimeDelta, Timelike};

    use super::*;
    use crate::simulate::schedule::day_rule;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn span(start: &str, end: &str) -> Span {
        Span {
            start: at(start),
            end: at(end),
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn small(seed: u64) -> Fleet {
        Fleet::new(FleetConfig {
            seed,
            bikes: 5,
            rides_per_day_max: 200,
            ..FleetConfig::default()
        })
    }

    fn all(fleet: &Fleet, span: Span) -> Vec<(DateTime<Utc>, String, String)> {
        let mut lines = Vec::new();
        fleet.for_each_line(span, |at, serial, line| {
            lines.push((at, serial.to_owned(), line.to_owned()))
        });
        lines
    }

    /// The start instants of the rides begun on `day`, by bike.
    fn rides(fleet: &Fleet, day: NaiveDate) -> Vec<(DateTime<Utc>, String)> {
        let mut found = Vec::new();
        fleet.for_each_line(day_rule(fleet.config()).span(day), |at, serial, line| {
            if line == "--------- beginning of a new ride" {
                found.push((at, serial.to_owned()));
            }
        });
        found
    }

    /// Checks a line against log-format.md §2 by hand, without the product's parser.
    fn is_grammatical(line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("--------- beginning of ") {
            return rest == "main" || rest == "a new ride";
        }
        let Some((stamp, body)) = line.split_once(" mendoza v9: ") else {
            return false;
        };
        let whole = stamp.len() == 19 || (stamp.len() == 26 && stamp.as_bytes()[19] == b'.');
        if !whole || NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.f").is_err() {
            return false;
        }
        let integer = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let float = |text: &str| {
            text.split_once('.')
                .is_some_and(|(whole, part)| integer(whole) && integer(part))
        };
        if let Some(rest) = body.strip_prefix("[INFO]: Ride - duration = ") {
            return rest.split_once("; resistance = ").is_some_and(|(second, resistance)| {
                second.strip_suffix(".0").is_some_and(integer) && integer(resistance)
            });
        }
        if let Some(rest) = body.strip_prefix("[INFO]: Telemetry - hrt = ") {
            let parts: Vec<_> = rest.split("; ").collect();
            return parts.len() == 3
                && integer(parts[0])
                && parts[1].strip_prefix("rpm = ").is_some_and(integer)
                && parts[2].strip_prefix("power = ").is_some_and(float);
        }
        if let Some(json) = body.strip_prefix("[SYSTEM] data = ") {
            return serde_json::from_str::<serde_json::Map<_, _>>(json).is_ok_and(|keys| keys.len() == 11);
        }
        body == "Getting user data from server.."
    }

    #[test]
    fn a_seed_means_the_same_bytes_and_another_seed_means_others() {
        let morning = span("2026-05-01T07:00:00Z", "2026-05-01T07:40:00Z");
        assert!(!all(&small(1), morning).is_empty());
        assert_eq!(all(&small(1), morning), all(&small(1), morning));
        assert_ne!(all(&small(1), morning), all(&small(2), morning));
        // Fixed for ever: a change here changes what every seed means.
        let mut hash = sha2::Sha256::default();
        small(1).for_each_line(morning, |_, _, line| sha2::Digest::update(&mut hash, line));
        let hash: String = sha2::Digest::finalize(hash)
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, "c94776d3d5730f8a");
    }

    #[test]
    fn every_line_is_grammatical_and_in_the_order_of_time() {
        let mut last = DateTime::UNIX_EPOCH;
        let mut lines = 0;
        small(3).for_each_line(
            span("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
            |at, serial, line| {
                assert!(is_grammatical(line), "{line}");
                assert!(at >= last);
                assert!(serial.len() == 6 && serial.starts_with("SN000"));
                if let Some(stamp) = line.get(..26).filter(|_| !line.starts_with('-')) {
                    assert_eq!(
                        stamp.trim_end_matches(" mendoz"),
                        at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
                    );
                }
                last = at;
                lines += 1;
            },
        );
        assert!(lines > 50_000, "{lines}");
        assert!(!is_grammatical(
            "2026-05-01 10:00:00.1 mendoza v9: [INFO]: Ride - duration = 1.0; resistance = 30"
        ));
        assert!(!is_grammatical(
            "2026-05-01 10:00:00 mendoza v9: [INFO]: Telemetry - hrt = 1; rpm = 2; power = 3"
        ));
    }

    #[test]
    fn a_span_is_the_same_lines_whole_or_in_pieces() {
        let fleet = small(4);
        let whole = all(&fleet, span("2026-05-01T16:00:00Z", "2026-05-02T08:00:00Z"));
        let mut pieces = all(&fleet, span("2026-05-01T16:00:00Z", "2026-05-01T17:03:07.123456Z"));
        pieces.extend(all(&fleet, span("2026-05-01T17:03:07.123456Z", "2026-05-01T23:00:00Z")));
        pieces.extend(all(&fleet, span("2026-05-01T23:00:00Z", "2026-05-02T08:00:00Z")));
        assert_eq!(whole, pieces);
        let mut by_bike = Vec::new();
        for bike in 0..5 {
            let mut lines = fleet.lines_of_bike(bike, span("2026-05-01T16:00:00Z", "2026-05-02T08:00:00Z"));
            while let Some(line) = lines.next_line() {
                by_bike.push((line.at, line.serial.to_owned(), line.line.to_owned()));
            }
        }
        by_bike.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        assert_eq!(whole, by_bike);
    }

    #[test]
    fn the_day_has_a_rhythm_and_a_cap() {
        let fleet = Fleet::new(FleetConfig {
            rides_per_day_max: 1_000,
            ..FleetConfig::default()
        });
        for date in ["2026-05-01", "2026-05-02", "2026-05-05", "2026-03-29", "2026-10-25"] {
            let rides = rides(&fleet, day(date));
            assert!((400..=1_000).contains(&rides.len()), "{date}: {} rides", rides.len());
            let mut hours = [0; 24];
            for (at, _) in &rides {
                hours[at.with_timezone(&chrono_tz::Europe::London).hour() as usize] += 1;
            }
            let night: i32 = hours[0..5].iter().sum();
            let evening: i32 = hours[17..22].iter().sum();
            assert!(night * 3 < evening, "{date}: {hours:?}");
        }
        let hours = rides(&fleet, day("2026-05-01"))
            .iter()
            .fold([0; 24], |mut hours, (at, _)| {
                hours[at.with_timezone(&chrono_tz::Europe::London).hour() as usize] += 1;
                hours
            });
        for (busy, quiet) in [(7..9, 10..12), (12..14, 14..16), (18..20, 21..23)] {
            let sum = |hours_of_day: std::ops::Range<usize>| hours[hours_of_day].iter().sum::<i32>();
            assert!(sum(busy.clone()) > sum(quiet.clone()), "{busy:?} {quiet:?}: {hours:?}");
        }
        let capped = Fleet::new(FleetConfig {
            bikes: 7,
            rides_per_day_max: 3,
            ..FleetConfig::default()
        });
        assert!((1..=3).contains(&rides(&capped, day("2026-05-01")).len()));
    }

    #[test]
    fn a_bike_never_has_two_riders_and_riders_ride_again() {
        let fleet = small(5);
        let mut last: HashMap<String, (u32, u32)> = HashMap::new();
        let mut people: HashMap<String, Vec<String>> = HashMap::new();
        fleet.for_each_line(
            span("2026-04-29T22:00:00Z", "2026-05-03T22:00:00Z"),
            |_, serial, line| {
                let (second, header) = last.entry(serial.to_owned()).or_default();
                if let Some((_, rest)) = line.split_once("Ride - duration = ") {
                    let now: u32 = rest.split_once(".0;").unwrap().0.parse().unwrap();
                    assert_eq!(now, *second + 1, "{serial}: {line}");
                    *second = now;
                } else if line.starts_with("--------- beginning of main") {
                    (*second, *header) = (0, 1);
                } else if !line.contains("Telemetry") {
                    *header += 1;
                }
                if let Some((_, rest)) = line.split_once("\"user_id\":") {
                    assert_eq!(*header, 4, "the header is whole");
                    people
                        .entry(serial.to_owned())
                        .or_default()
                        .push(rest.split_once(',').unwrap().0.to_owned());
                }
            },
        );
        let (mut rides, mut again, mut distinct) = (0, 0, HashSet::new());
        for riders in people.values() {
            rides += riders.len();
            again += riders.windows(2).filter(|pair| pair[0] == pair[1]).count();
            distinct.extend(riders);
        }
        assert!(
            (2..4).contains(&(rides / (rides - again))),
            "{rides} rides, {again} by the rider before"
        );
        assert!(distinct.len() > 40);
    }

    #[test]
    fn a_fleet_opens_without_a_ride_joined_midway() {
        let opens = at("2026-05-01T07:15:00Z");
        let fleet = Fleet::new(FleetConfig {
            opens_at: Some(opens),
            ..small(6).config().clone()
        });
        let mut first: BTreeMap<String, String> = BTreeMap::new();
        fleet.for_each_line(
            Span {
                start: opens,
                end: opens + TimeDelta::hours(2),
            },
            |_, serial, line| {
                first.entry(serial.to_owned()).or_insert_with(|| line.to_owned());
            },
        );
        assert!(
            !first.is_empty() && first.values().all(|line| line == "--------- beginning of main"),
            "{first:?}"
        );
    }

    #[test]
    fn a_demo_is_busy_at_once_at_any_time_of_day() {
        for text in ["2026-05-01T03:00:00Z", "2026-05-01T22:59:30Z", "2026-05-01T17:30:00.5Z"] {
            let from = at(text);
            let fleet = Fleet::new(FleetConfig {
                demo_from: Some(from),
                ..FleetConfig::default()
            });
            let mut starts: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
            let mut minutes = [0; 60];
            fleet.for_each_line(
                Span {
                    start: from,
                    end: from + TimeDelta::hours(1),
                },
                |at, serial, line| {
                    minutes[(at - from).num_minutes() as usize] += 1;
                    if !starts.contains_key(serial) {
                        assert_eq!(line, "--------- beginning of main", "nothing is under way");
                        starts.insert(serial.to_owned(), at);
                    }
                },
            );
            let within = |seconds| {
                starts
                    .values()
                    .filter(|&&at| at - from < TimeDelta::seconds(seconds))
                    .count()
            };
            assert!(within(20) >= 8, "{text}: {}", within(20));
            assert_eq!(within(60), 24);
            assert!(minutes[1..].iter().all(|&lines| lines > 24 * 120 / 2), "{minutes:?}");
            // The bikes' earlier rides are over, and the day goes on afterwards without overlaps.
            let mut seconds: HashMap<String, u32> = HashMap::new();
            let around = Span {
                start: from - TimeDelta::hours(12),
                end: from + TimeDelta::hours(20),
            };
            let mut later = 0;
            fleet.for_each_line(around, |at, serial, line| {
                let second = seconds.entry(serial.to_owned()).or_insert(u32::MAX);
                if line.ends_with("beginning of main") {
                    *second = 0;
                } else if line.contains("Ride - ") && *second != u32::MAX {
                    *second += 1;
                    assert!(line.contains(&format!("duration = {second}.0;")), "{serial}: {line}");
                }
                later += u32::from(at > from + TimeDelta::hours(2));
            });
            assert!(later > 3_000, "{later}");
        }
    }
}
