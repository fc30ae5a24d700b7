//! Log lines as bikes write them: made by rule, so that they are the same on every machine.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

/// Bikes that ride at the same time.
const BIKES: usize = 24;

/// Half seconds between two headers of one bike, from .. to: 5 to 45 minutes of riding, 1 to 5 of rest.
const RIDING: (u64, u64) = (600, 5_400);
const RESTING: (u64, u64) = (120, 600);

/// Writes `count` lines of one partition, each with its bike's key.
pub(crate) fn write(count: usize, out: &mut impl Write) -> io::Result<()> {
    let mut random = Random(7);
    let mut bikes: Vec<Bike> = (0..BIKES)
        .map(|bike| Bike {
            key: format!("SN{bike:04}"),
            rider: bike as u64,
            tick: random.between((0, 600)).wrapping_neg(),
            ends_at: 0,
            heart_rate: 60,
        })
        .collect();
    let start: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(19_000);
    let (mut written, mut half_seconds) = (0, 0);
    let mut line = Vec::new();
    while written < count {
        let at = start + TimeDelta::milliseconds(500 * half_seconds);
        let second = at.format("%Y-%m-%d %H:%M:%S").to_string();
        let micros = at.timestamp_subsec_micros();
        for (index, bike) in bikes.iter_mut().enumerate() {
            line.clear();
            bike.say(&second, micros + 1 + index as u32 * 1_000, &mut random, &mut line)?;
            if written < count && !line.is_empty() {
                out.write_all(&line)?;
                written += 1;
            }
        }
        half_seconds += 1;
    }
    Ok(())
}

struct Bike {
    key: String,
    rider: u64,
    /// Half seconds since the ride's header; before it while the bike rests.
    tick: u64,
    ends_at: u64,
    heart_rate: u64,
}

impl Bike {
    /// The line of this half second, if there is one.
    fn say(&mut self, second: &str, micros: u32, random: &mut Random, out: &mut Vec<u8>) -> io::Result<()> {
        let tick = self.tick;
        self.tick = tick.wrapping_add(1);
        let key = &self.key;
        match tick {
            0 => write!(
                out,
                r#"{{"key": "{key}", "log": "--------- beginning of a new ride\n"}}"#
            )?,
            1 => write!(
                out,
                r#"{{"key": "{key}", "log": "{second}.{micros:06} mendoza v9: Getting user data from server..\n"}}"#
            )?,
            2 => {
                self.rider = (self.rider + 24) % 2_000;
                self.ends_at = random.between(RIDING);
                let rider = self.rider;
                write!(
                    out,
                    r#"{{"key": "{key}", "log": "{second}.{micros:06} mendoza v9: [SYSTEM] data = {{\"user_id\":{rider},\"name\":\"Rider {rider}\",\"gender\":\"{}\",\"address\":\"{rider} High Street,Leeds,LS1 {}AB\",\"date_of_birth\":{},\"email_address\":\"rider.{rider}@example.com\",\"height_cm\":{},\"weight_kg\":{},\"account_create_date\":1647993600000,\"bike_serial\":\"{key}\",\"original_source\":\"direct\"}}\n"}}"#,
                    ["female", "male"][rider as usize % 2],
                    rider % 9 + 1,
                    (rider * 864_000_000) as i64 - 300_000_000_000,
                    150 + rider % 50,
                    50 + rider % 60,
                )?;
            }
            _ if tick > u64::MAX / 2 => return Ok(()),
            _ if tick >= self.ends_at => {
                self.tick = random.between(RESTING).wrapping_neg();
                write!(out, r#"{{"key": "{key}", "log": "--------- beginning of main\n"}}"#)?;
            }
            _ if tick % 2 == 1 => write!(
                out,
                r#"{{"key": "{key}", "log": "{second}.{micros:06} mendoza v9: [INFO]: Ride - duration = {}.0; resistance = {}\n"}}"#,
                tick / 2,
                30 + tick / 40 % 50,
            )?,
            _ => {
                let drift = random.between((0, 3));
                self.heart_rate = (self.heart_rate + drift).saturating_sub(1).clamp(60, 165);
                let heart_rate = if random.between((0, 50)) == 0 {
                    0
                } else {
                    self.heart_rate
                };
                let cadence = 40 + random.between((0, 50));
                let power = (cadence * cadence) as f64 * 0.012_345_678_9 + random.between((0, 100)) as f64 / 7.0;
                write!(
                    out,
                    r#"{{"key": "{key}", "log": "{second}.{micros:06} mendoza v9: [INFO]: Telemetry - hrt = {heart_rate}; rpm = {cadence}; power = {power}\n"}}"#
                )?;
            }
        }
        out.push(b'\n');
        Ok(())
    }
}

/// A linear congruential generator (Knuth's MMIX): nothing here has to be unpredictable.
struct Random(u64);

impl Random {
    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        from + (self.0 >> 33) % (to - from)
    }
}
