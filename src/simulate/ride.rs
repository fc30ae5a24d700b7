//! One ride, line by line, as the bike writes it.

use chrono::{DateTime, NaiveDate};

use super::{
    dice::{Dice, Purpose},
    population::Person,
    programme::{self, CADENCE_MAX, Phase},
};

/// Lines before the first second: two markers, `Getting user data` and `[SYSTEM]`.
pub(super) const HEADER_LINES: u32 = 4;
const MODEL: &[u8] = b" mendoza v9: ";
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// No rider's heart was ever seen outside these, beats a minute.
const HEART_RATE_BPM: (f64, f64) = (43.0, 205.0);

/// What is known of a ride before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct RidePlan {
    /// Instant of its first line, microseconds since 1970.
    pub start_micros: i64,
    /// Length, seconds of the bike's own counter.
    pub seconds: u32,
    /// Who rides; see [`Person::new`].
    pub person: u32,
    /// The sprints' resistance, constant for a rider's visit.
    pub sprint_level: u32,
    /// The resistance after a sprint.
    pub easing_level: u32,
    /// The rider comes straight from the ride before.
    pub is_warm: bool,
}

impl RidePlan {
    /// Lines the ride has: `2 × seconds + 4`.
    #[must_use]
    pub fn lines(&self) -> u32 {
        HEADER_LINES + 2 * self.seconds
    }

    /// The instant right after its last line's slot.
    #[must_use]
    pub fn end_micros(&self, slot_micros: i64) -> i64 {
        self.start_micros + i64::from(self.lines()) * slot_micros
    }
}

/// A ride being written.
pub(super) struct Player {
    pub(super) plan: RidePlan,
    slot_micros: i64,
    line: u32,
    dice: Dice,
    /// Seconds of a fresh start without resistance.
    start_seconds: u32,
    /// The second of the first hand contact.
    contact_from: u32,
    dropout_left: u32,
    cadence: f64,
    cadence_base: f64,
    cadence_target: f64,
    cadence_sprint: f64,
    heart: f64,
    resting: f64,
    highest: f64,
    /// Part of the way from resting to highest that steady riding asks for.
    effort: f64,
    /// The date the stamp buffer holds, days since 1970.
    stamp_day: i64,
    stamp_date: [u8; 10],
}

impl Player {
    pub(super) fn new(seed: u64, bike: u32, plan: RidePlan, slot_micros: i64) -> Self {
        let person = Person::new(seed, plan.person);
        let mut dice = Dice::new(seed, Purpose::Ride, bike.into(), plan.start_micros as u64);
        let cadence_base = 24.0 + 22.0 * person.fitness + dice.within(-5.0, 5.0);
        let sprint_extra = if dice.chance(0.03) {
            dice.within(20.0, 60.0)
        } else {
            0.0
        };
        // Now and then someone overdoes it: what heart-rate alerts are for.
        let effort = if dice.chance(0.012) {
            dice.within(1.05, 1.25)
        } else {
            dice.within(0.5, 0.78) - 0.08 * person.fitness
        };
        let is_warm = plan.is_warm;
        Player {
            slot_micros,
            line: 0,
            start_seconds: dice.below(4),
            contact_from: if is_warm { 1 + dice.below(4) } else { 1 + dice.below(15) },
            dropout_left: 0,
            cadence: 0.0,
            cadence_base,
            cadence_target: cadence_base,
            cadence_sprint: 92.0 + 28.0 * person.fitness + dice.within(0.0, 30.0) + sprint_extra,
            heart: if is_warm {
                dice.within(95.0, 115.0)
            } else {
                (person.resting_bpm + dice.within(2.0, 12.0)).max(60.0)
            },
            resting: person.resting_bpm,
            highest: person.highest_bpm,
            effort,
            dice,
            stamp_day: i64::MIN,
            stamp_date: [0; 10],
            plan,
        }
    }

    /// The instant of the next line's slot; none when the ride is over.
    pub(super) fn next_at(&self) -> Option<i64> {
        (self.line < self.plan.lines()).then(|| self.plan.start_micros + i64::from(self.line) * self.slot_micros)
    }

    /// Appends the next line to `out`, without its line feed.
    pub(super) fn write_line(&mut self, seed: u64, bike_serial: &str, out: &mut Vec<u8>) {
        let at = self.plan.start_micros + i64::from(self.line) * self.slot_micros;
        match self.line {
            0 => out.extend_from_slice(b"--------- beginning of main"),
            1 => out.extend_from_slice(b"--------- beginning of a new ride"),
            2 => {
                self.stamp(at, out);
                out.extend_from_slice(b"Getting user data from server..");
            }
            3 => {
                self.stamp(at, out);
                out.extend_from_slice(b"[SYSTEM] data = ");
                let mut json = String::with_capacity(320);
                Person::new(seed, self.plan.person).write_header(bike_serial, day_of(at), &mut json);
                out.extend_from_slice(json.as_bytes());
            }
            line => {
                let second = (line - HEADER_LINES) / 2 + 1;
                let phase = programme::phase(second, self.start_seconds);
                let resistance = programme::resistance(phase, self.plan.sprint_level, self.plan.easing_level);
                self.stamp(at, out);
                if line % 2 == 0 {
                    out.extend_from_slice(b"[INFO]: Ride - duration = ");
                    push_number(second, out);
                    out.extend_from_slice(b".0; resistance = ");
                    push_number(resistance, out);
                } else {
                    self.pedal(second, phase);
                    let heart_rate = self.sense(second);
                    let cadence = self.cadence as u32;
                    out.extend_from_slice(b"[INFO]: Telemetry - hrt = ");
                    push_number(heart_rate, out);
                    out.extend_from_slice(b"; rpm = ");
                    push_number(cadence, out);
                    out.extend_from_slice(b"; power = ");
                    out.extend_from_slice(programme::watts_text(resistance, cadence).as_bytes());
                }
            }
        }
        self.line += 1;
    }

    /// Moves legs and heart on by one second.
    fn pedal(&mut self, second: u32, phase: Phase) {
        if second.is_multiple_of(16) {
            self.cadence_target = (self.cadence_base + self.dice.within(-13.0, 13.0)).clamp(15.0, 70.0);
        }
        let (target, ceiling) = match phase {
            Phase::Sprint => (self.cadence_sprint, f64::from(CADENCE_MAX)),
            _ => (self.cadence_target, 90.0),
        };
        if second <= 5 {
            self.cadence = 0.0;
        } else {
            let moved = self.cadence + (target - self.cadence) * 0.35 + self.dice.within(-3.0, 3.0);
            // Legs slow down over a few seconds after a sprint, however light the pedals are.
            self.cadence = moved.clamp(0.0, ceiling.max(self.cadence));
        }
        let effort = match phase {
            Phase::Start => 0.1,
            Phase::Steady | Phase::Easing => self.effort,
            Phase::Sprint => self.effort + 0.25,
        };
        let wanted = self.resting + (self.highest - self.resting) * effort;
        let moved = (wanted - self.heart) * 0.018 + self.dice.within(-1.4, 1.4);
        self.heart = (self.heart + moved.clamp(-3.0, 3.0)).clamp(HEART_RATE_BPM.0, HEART_RATE_BPM.1);
    }

    /// What the grip sensors make of the heart: 0 without contact.
    fn sense(&mut self, second: u32) -> u32 {
        if self.dropout_left > 0 {
            self.dropout_left -= 1;
            return 0;
        }
        if second < self.contact_from {
            return 0;
        }
        if self.dice.chance(1.0 / 170.0) {
            self.dropout_left = self.dice.below(15);
            return 0;
        }
        self.heart as u32
    }

    /// Appends `YYYY-MM-DD hh:mm:ss.ffffff mendoza v9: `.
    fn stamp(&mut self, at: i64, out: &mut Vec<u8>) {
        let day = at.div_euclid(MICROS_PER_DAY);
        if day != self.stamp_day {
            self.stamp_day = day;
            self.stamp_date.copy_from_slice(day_of(at).to_string().as_bytes());
        }
        out.extend_from_slice(&self.stamp_date);
        push_time(at.rem_euclid(MICROS_PER_DAY), out);
        out.extend_from_slice(MODEL);
    }
}

fn day_of(at: i64) -> NaiveDate {
    DateTime::from_timestamp_micros(at)
        .expect("rides take place in years of four digits")
        .date_naive()
}

/// Appends ` hh:mm:ss.ffffff`; the fraction is missing when it is zero, as the bikes' Python prints it.
pub(super) fn push_time(micros_of_day: i64, out: &mut Vec<u8>) {
    let two = |number: i64| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
    let (seconds, mut fraction) = (micros_of_day / 1_000_000, micros_of_day % 1_000_000);
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60));
    out.extend_from_slice(&[b' ', h1, h2, b':', m1, m2, b':', s1, s2]);
    if fraction > 0 {
        let mut text = *b".000000";
        for digit in text[1..].iter_mut().rev() {
            *digit += (fraction % 10) as u8;
            fraction /= 10;
        }
        out.extend_from_slice(&text);
    }
}

fn push_number(mut number: u32, out: &mut Vec<u8>) {
    let mut text = [0; 10];
    let mut first = text.len();
    loop {
        first -= 1;
        text[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seed: u64, seconds: u32) -> Vec<String> {
        let start_micros = 1_657_150_174_435_798;
        let plan = RidePlan {
            start_micros,
            seconds,
            person: 3,
            sprint_level: 160,
            easing_level: 95,
            is_warm: false,
        };
        let mut player = Player::new(seed, 0, plan, 500_500);
        let mut all = Vec::new();
        while player.next_at().is_some() {
            let mut line = Vec::new();
            player.write_line(seed, "SN0001", &mut line);
            all.push(String::from_utf8(line).unwrap());
        }
        all
    }

    /// The Telemetry lines' (heart rate, cadence, watts).
    fn telemetry(lines: &[String]) -> Vec<(u32, u32, f64)> {
        let number = |text: &str| text.split(';').next().unwrap().trim().to_owned();
        lines
            .iter()
            .filter_map(|line| line.split_once("Telemetry - hrt = "))
            .map(|(_, rest)| {
                let rpm = number(rest.split_once("rpm = ").unwrap().1).parse().unwrap();
                (
                    number(rest).parse().unwrap(),
                    rpm,
                    rest.split_once("power = ").unwrap().1.parse().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn a_ride_of_n_seconds_has_2n_plus_4_lines() {
        for seconds in [1, 179, 520] {
            assert_eq!(lines(1, seconds).len() as u32, 2 * seconds + 4);
        }
    }

    #[test]
    fn a_ride_opens_like_the_captures() {
        let lines = lines(1, 520);
        assert_eq!(lines[0], "--------- beginning of main");
        assert_eq!(lines[1], "--------- beginning of a new ride");
        assert_eq!(
            lines[2],
            "2022-07-06 23:29:35.436798 mendoza v9: Getting user data from server.."
        );
        assert!(lines[3].starts_with("2022-07-06 23:29:35.937298 mendoza v9: [SYSTEM] data = {\"user_id\":103,"));
        assert!(
            lines[4].starts_with("2022-07-06 23:29:36.437798 mendoza v9: [INFO]: Ride - duration = 1.0; resistance = ")
        );
        assert!(lines[5].ends_with("rpm = 0; power = 0.0"));
        assert!(lines.last().unwrap().contains("[INFO]: Telemetry - hrt = "));
    }

    #[test]
    fn rides_are_as_hard_as_real_ones() {
        let mut dropouts = 0;
        for seed in 0..40 {
            let readings = telemetry(&lines(seed, 520));
            assert!(readings[..5].iter().all(|reading| reading.1 == 0), "a standing start");
            let mean = readings.iter().map(|reading| reading.2).sum::<f64>() / 520.0;
            assert!((25.0..110.0).contains(&mean), "{mean} W");
            let most = readings.iter().map(|reading| reading.2).fold(0.0, f64::max);
            assert!((300.0..1600.0).contains(&most), "{most} W");
            let with_contact: Vec<_> = readings
                .iter()
                .map(|reading| reading.0)
                .filter(|&bpm| bpm > 0)
                .collect();
            assert!(with_contact.iter().all(|bpm| (43..=205).contains(bpm)));
            assert!(with_contact.len() > 350);
            assert!(
                with_contact
                    .windows(2)
                    .filter(|pair| pair[0].abs_diff(pair[1]) > 4)
                    .count()
                    < 20
            );
            assert!(with_contact[0] < 106 && *with_contact.iter().max().unwrap() > with_contact[0] + 10);
            dropouts += readings[20..]
                .windows(2)
                .filter(|pair| pair[0].0 > 0 && pair[1].0 == 0)
                .count();
        }
        assert!(dropouts > 40, "{dropouts} gaps of the sensor in 40 rides");
    }

    #[test]
    fn a_fraction_of_zero_is_not_printed() {
        let text = |micros| {
            let mut out = Vec::new();
            push_time(micros, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(36_000_000_000), " 10:00:00");
        assert_eq!(text(36_000_000_001), " 10:00:00.000001");
        assert_eq!(text(86_399_999_999), " 23:59:59.999999");
    }
}
