//! What goes wrong on the way from a bike to us, on purpose and by a seed.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    str::FromStr,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    SimLine,
    dice::{Dice, Purpose},
    fleet::{Lines, serial},
    ride::push_time,
};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The line is lost.
    Drop,
    /// The line comes twice.
    Duplicate,
    /// The line is cut off.
    Truncate,
    /// Something that is no line of ours comes before it.
    Garbage,
    /// The line comes after the bike's next one.
    Reorder,
    /// A marker is lost.
    NoMarker,
    /// The grips lose contact for 1 to 15 s.
    Dropout,
    /// The bike's clock jumps, by up to an hour either way, for good.
    ClockJump,
    /// The bike falls silent until its next ride.
    Vanish,
}

/// The faults by name: what a rate counts, and the rate's meaning.
const FAULTS: [(Fault, &str, &str); 9] = [
    (Fault::Drop, "drop", "lines lost"),
    (Fault::Duplicate, "duplicate", "lines sent twice"),
    (Fault::Truncate, "truncate", "lines cut off"),
    (
        Fault::Garbage,
        "garbage",
        "something else before the line, half of it without an envelope",
    ),
    (Fault::Reorder, "reorder", "lines that come after the bike's next one"),
    (Fault::NoMarker, "no_marker", "markers lost"),
    (Fault::Dropout, "dropout", "seconds at which the grips lose contact"),
    (Fault::ClockJump, "clock_jump", "lines at which the bike's clock jumps"),
    (
        Fault::Vanish,
        "vanish",
        "lines after which the bike falls silent until its next ride",
    ),
];

/// How often what goes wrong: a probability for each kind of fault, per line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    rates: [f64; FAULTS.len()],
}

impl Faults {
    /// This fault at this rate, 0 to 1; the others as they were.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.rates[fault as usize] = rate;
        self
    }

    /// The names and what they mean, for `--help`.
    #[must_use]
    pub fn help() -> String {
        let names: Vec<_> = FAULTS
            .iter()
            .map(|(_, name, meaning)| format!("{name} ({meaning})"))
            .collect();
        names.join(", ")
    }

    fn rate(&self, fault: Fault) -> f64 {
        self.rates[fault as usize]
    }
}

impl FromStr for Faults {
    type Err = String;

    /// Reads `drop=0.001,truncate=0.01`; names everything that is wrong with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Faults::default();
        let mut seen = Vec::new();
        let mut wrong = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((name, rate)) = part.split_once('=').map(|(name, rate)| (name.trim(), rate.trim())) else {
                wrong.push(format!("`{part}` has no rate, expected e.g. `{part}=0.001`"));
                continue;
            };
            let Some((fault, ..)) = FAULTS.iter().find(|(_, known, _)| *known == name) else {
                wrong.push(unknown(name));
                continue;
            };
            if seen.contains(fault) {
                wrong.push(format!("`{name}` is given twice"));
            }
            seen.push(*fault);
            match rate.parse::<f64>() {
                Ok(rate) if (0.0..=1.0).contains(&rate) => faults = faults.with(*fault, rate),
                Ok(_) => wrong.push(format!("the rate of `{name}` is `{rate}`, expected 0 to 1")),
                Err(_) => wrong.push(format!("the rate of `{name}` is `{rate}`, which is no number")),
            }
        }
        if wrong.is_empty() {
            Ok(faults)
        } else {
            Err(wrong.join("; "))
        }
    }
}

fn unknown(name: &str) -> String {
    let near = FAULTS
        .iter()
        .map(|fault| fault.1)
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    match near.filter(|near| strsim::jaro_winkler(near, name) > 0.8) {
        Some(near) => format!("there is no fault `{name}`; did you mean `{near}`?"),
        None => {
            let known: Vec<_> = FAULTS.iter().map(|fault| fault.1).collect();
            format!("there is no fault `{name}`; there are {}", known.join(", "))
        }
    }
}

/// How many faults there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts([u64; FAULTS.len()]);

impl FaultCounts {
    /// Faults of this kind so far.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }
}

impl fmt::Display for FaultCounts {
    /// `drop 3, truncate 1`; `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted: Vec<_> = FAULTS
            .iter()
            .filter(|(fault, ..)| self.of(*fault) > 0)
            .map(|(fault, name, _)| format!("{name} {}", self.of(*fault)))
            .collect();
        f.write_str(if counted.is_empty() { "none" } else { "" })?;
        f.write_str(&counted.join(", "))
    }
}

/// Lines with faults; see [`Lines::with_faults`]. The same seed and span give the same faults.
pub struct FaultyLines {
    lines: Lines,
    faults: Faults,
    dice: Dice,
    counts: FaultCounts,
    bikes: HashMap<u32, BikeState>,
    /// What comes out next.
    ready: VecDeque<Sent>,
    current: Sent,
}

#[derive(Default)]
struct BikeState {
    is_silent: bool,
    dropout_lines: u32,
    clock_off: TimeDelta,
    /// A line that waits for the next one to overtake it.
    held: Option<Sent>,
}

#[derive(Default)]
struct Sent {
    at: DateTime<Utc>,
    bike: u32,
    serial: String,
    line: String,
    is_bare: bool,
}

impl FaultyLines {
    pub(super) fn new(lines: Lines, faults: Faults, seed: u64) -> Self {
        FaultyLines {
            lines,
            faults,
            dice: Dice::new(seed, Purpose::Fault, 0, 0),
            counts: FaultCounts::default(),
            bikes: HashMap::new(),
            ready: VecDeque::new(),
            current: Sent::default(),
        }
    }

    /// The faults there were so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// The next line; none at the end of the span.
    pub fn next_line(&mut self) -> Option<SimLine<'_>> {
        if self.faults == Faults::default() {
            return self.lines.next_line();
        }
        while self.ready.is_empty() {
            let Some(line) = self.lines.next_line() else {
                self.release_held();
                break;
            };
            let mut sent = std::mem::take(&mut self.current);
            sent.take_from(&line);
            self.send(sent);
        }
        self.current = self.ready.pop_front()?;
        Some(self.current.as_line())
    }

    /// Sends one line on its way, through whatever befalls it.
    fn send(&mut self, mut sent: Sent) {
        let is_marker = sent.line.starts_with('-');
        let state = self.bikes.entry(sent.bike).or_default();
        state.is_silent &= !sent.line.ends_with("beginning of main");
        if state.is_silent {
            return;
        }
        let (faults, dice, counts) = (&self.faults, &mut self.dice, &mut self.counts);
        let mut befalls = |fault| {
            let rate = faults.rate(fault);
            let it_does = rate > 0.0 && dice.chance(rate);
            counts.0[fault as usize] += u64::from(it_does);
            it_does
        };
        if befalls(Fault::Vanish) {
            state.is_silent = true;
            return;
        }
        if befalls(Fault::Drop) || (is_marker && befalls(Fault::NoMarker)) {
            return;
        }
        let jumps = befalls(Fault::ClockJump);
        let is_telemetry = sent.line.contains("Telemetry - hrt = ");
        let loses_contact = is_telemetry && state.dropout_lines == 0 && befalls(Fault::Dropout);
        let (truncated, duplicated) = (befalls(Fault::Truncate), befalls(Fault::Duplicate));
        let (after_garbage, held) = (befalls(Fault::Garbage), state.held.is_none() && befalls(Fault::Reorder));

        if jumps {
            state.clock_off += TimeDelta::milliseconds(i64::from(self.dice.between(0, 7_200_000)) - 3_600_000);
        }
        if loses_contact {
            state.dropout_lines = self.dice.between(1, 15);
        }
        if is_telemetry && state.dropout_lines > 0 {
            state.dropout_lines -= 1;
            sent.lose_contact();
        }
        if state.clock_off != TimeDelta::zero() && !is_marker {
            sent.shift_stamp(state.clock_off);
        }
        if after_garbage {
            let is_bare = self.dice.chance(0.5);
            self.ready.push_back(Sent {
                line: garbage(&mut self.dice, is_bare),
                is_bare,
                ..sent.clone()
            });
        }
        if truncated {
            sent.line.truncate(self.dice.below(sent.line.len() as u32) as usize);
        }
        if held {
            state.held = Some(sent);
            return;
        }
        let overtaken = state.held.take().map(|held| Sent { at: sent.at, ..held });
        if duplicated {
            self.ready.push_back(sent.clone());
        }
        self.ready.push_back(sent);
        self.ready.extend(overtaken);
    }

    /// At the end nothing will overtake what waits any more.
    fn release_held(&mut self) {
        let mut held: Vec<_> = self.bikes.drain().filter_map(|(_, state)| state.held).collect();
        held.sort_unstable_by_key(|sent| (sent.at, sent.bike));
        self.ready.extend(held);
    }
}

impl Clone for Sent {
    fn clone(&self) -> Self {
        Sent {
            serial: serial(self.bike),
            line: self.line.clone(),
            ..*self
        }
    }
}

impl Sent {
    fn take_from(&mut self, line: &SimLine<'_>) {
        (self.at, self.bike, self.is_bare) = (line.at, line.bike, line.is_bare);
        line.serial.clone_into(&mut self.serial);
        line.line.clone_into(&mut self.line);
    }

    fn as_line(&self) -> SimLine<'_> {
        SimLine {
            at: self.at,
            bike: self.bike,
            serial: &self.serial,
            line: &self.line,
            is_bare: self.is_bare,
        }
    }

    /// Makes the heart rate 0.
    fn lose_contact(&mut self) {
        if let Some((before, rest)) = self.line.split_once("hrt = ")
            && let Some((_, after)) = rest.split_once(';')
        {
            self.line = format!("{before}hrt = 0;{after}");
        }
    }

    /// Moves the line's stamp, as a bike's wrong clock does.
    fn shift_stamp(&mut self, by: TimeDelta) {
        if let Some((_, rest)) = self.line.split_once(" mendoza ") {
            let at = self.at + by;
            let mut line = at.date_naive().to_string().into_bytes();
            push_time(at.timestamp_micros().rem_euclid(86_400_000_000), &mut line);
            line.extend_from_slice(b" mendoza ");
            line.extend_from_slice(rest.as_bytes());
            self.line = String::from_utf8(line).expect("made of text");
        }
    }
}

/// Something that is not one of our lines, or not even a message of ours.
fn garbage(dice: &mut Dice, is_bare: bool) -> String {
    let texts: &[&str] = if is_bare {
        &[
            "",
            "null",
            "[]",
            "{}",
            "{\"log\": 7}",
            "{\"log\": null}",
            "{\"lag\": \"x\"}",
            "{\"log\": \"cut",
            "\u{0}\u{1}",
            "<html>",
        ]
    } else {
        &[
            "",
            " ",
            "Traceback (most recent call last):",
            "2022-13-45 25:61:61.000000 mendoza v9: [INFO]: Ride - duration = 1.0; resistance = 30",
            "2022-07-06 23:29:36.435842 mendoza v9: [DEBUG]: \"quoted\" \\ back",
            "2022-07-06 23:29:36.435842 mendoza v9: [SYSTEM] data = {\"user_id\":",
            "\u{fffd}\u{7}\u{1f6b2}",
        ]
    };
    (*dice.pick(texts)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::day::Span,
        simulate::{Fleet, FleetConfig},
    };

    fn sent(faults: Faults) -> (Vec<(u32, String)>, FaultCounts) {
        let start: DateTime<Utc> = "2026-05-01T06:30:00Z".parse().unwrap();
        let fleet = Fleet::new(FleetConfig {
            bikes: 4,
            rides_per_day_max: 400,
            ..FleetConfig::default()
        });
        let mut lines = fleet
            .lines(Span {
                start,
                end: start + TimeDelta::hours(2),
            })
            .with_faults(faults, 5);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line() {
            all.push((line.bike, line.line.to_owned()));
        }
        (all, lines.counts())
    }

    #[test]
    fn lines_are_lost_and_doubled_at_the_given_rates() {
        let (clean, none) = sent(Faults::default());
        assert!(clean.len() > 20_000, "{}", clean.len());
        assert_eq!(none, FaultCounts::default());
        let (faulty, counts) = sent("drop=0.02,duplicate=0.01".parse().unwrap());
        let (lost, doubled) = (counts.of(Fault::Drop) as usize, counts.of(Fault::Duplicate) as usize);
        assert!((0.015..0.025).contains(&(lost as f64 / clean.len() as f64)));
        assert!((0.007..0.013).contains(&(doubled as f64 / clean.len() as f64)));
        assert_eq!(faulty.len(), clean.len() - lost + doubled);
        assert_eq!(faulty.windows(2).filter(|pair| pair[0] == pair[1]).count(), doubled);
        assert_eq!(sent("drop=0.02,duplicate=0.01".parse().unwrap()), (faulty, counts));
    }

    #[test]
    fn every_other_fault_does_what_its_name_says() {
        let (clean, _) = sent(Faults::default());
        let count =
            |lines: &[(u32, String)], is: &dyn Fn(&str) -> bool| lines.iter().filter(|line| is(&line.1)).count();

        let (lines, counts) = sent(Faults::default().with(Fault::Truncate, 0.01));
        let cut = clean.iter().zip(&lines).filter(|(whole, sent)| whole != sent).count() as u64;
        assert!(
            clean
                .iter()
                .zip(&lines)
                .all(|(whole, sent)| whole.1.starts_with(&sent.1))
        );
        assert!(cut > 100 && cut <= counts.of(Fault::Truncate));

        let (lines, counts) = sent(Faults::default().with(Fault::NoMarker, 1.0));
        assert_eq!(count(&lines, &|line| line.starts_with('-')), 0);
        assert_eq!(clean.len() - lines.len(), counts.of(Fault::NoMarker) as usize);

        let (lines, counts) = sent(Faults::default().with(Fault::Reorder, 0.01));
        let sorted = |mut lines: Vec<_>| {
            lines.sort_unstable();
            lines
        };
        assert!(counts.of(Fault::Reorder) > 100);
        assert_ne!(lines, clean);
        assert_eq!(sorted(lines), sorted(clean.clone()), "nothing is lost by it");

        let (lines, counts) = sent(Faults::default().with(Fault::Garbage, 0.01));
        assert_eq!(lines.len(), clean.len() + counts.of(Fault::Garbage) as usize);

        let (lines, _) = sent(Faults::default().with(Fault::Dropout, 0.01));
        let dropout = |line: &str| line.contains("hrt = 0;");
        assert!(count(&lines, &dropout) > count(&clean, &dropout) + 100);

        let (lines, counts) = sent(Faults::default().with(Fault::Vanish, 0.0003));
        assert!(counts.of(Fault::Vanish) > 0);
        assert!(clean.len() - lines.len() > 10 * counts.of(Fault::Vanish) as usize);

        let (lines, counts) = sent(Faults::default().with(Fault::ClockJump, 0.0003));
        assert!(counts.of(Fault::ClockJump) > 0);
        assert_eq!(lines.len(), clean.len());
        let moved = clean.iter().zip(&lines).filter(|(whole, sent)| whole != sent).count();
        assert!(moved > 100, "{moved}");
        assert!(clean.iter().zip(&lines).all(
            |(whole, sent)| whole.1.split_once("mendoza").map(|x| x.1) == sent.1.split_once("mendoza").map(|x| x.1)
        ));
    }

    #[test]
    fn everything_wrong_with_the_text_is_named() {
        assert_eq!("".parse(), Ok(Faults::default()));
        assert_eq!(
            " drop=0.5 , no_marker=1".parse(),
            Ok(Faults::default().with(Fault::Drop, 0.5).with(Fault::NoMarker, 1.0))
        );
        let wrong = "drop=2,duplicat=0.1,reorder,garbage=many,drop=0.1,zzz=0"
            .parse::<Faults>()
            .unwrap_err();
        for part in [
            "the rate of `drop` is `2`, expected 0 to 1",
            "there is no fault `duplicat`; did you mean `duplicate`?",
            "`reorder` has no rate",
            "the rate of `garbage` is `many`, which is no number",
            "`drop` is given twice",
            "there is no fault `zzz`; there are drop, duplicate,",
        ] {
            assert!(wrong.contains(part), "{part} is not in: {wrong}");
        }
    }
}
