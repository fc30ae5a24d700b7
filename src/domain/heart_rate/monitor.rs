//! What the rule makes of one ride, reading by reading.

use serde::{Deserialize, Serialize};

use super::{AlertRule, Direction, Limit, LimitSource, Limits};

/// What becomes of an alert that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// It is raised.
    Now,
    /// The reading is too old to warn anyone. The alert stays due: should the heart rate still be there when a recent
    /// reading comes, that one raises it.
    Later,
    /// Another consumer has raised it, and mailed: it is only kept.
    Elsewhere,
}

/// An alert that the rule calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// On which side.
    pub direction: Direction,
    /// 1 for the first of its ride and direction, 2 when it worsened, …
    pub level: i32,
    /// The heart rate that completed the row.
    pub heart_rate_bpm: i32,
    /// The limit it is outside of.
    pub limit_bpm: i32,
    /// Where the limit comes from.
    pub limit_source: LimitSource,
    /// Seconds with contact outside the limit so far.
    pub sustained_seconds: i32,
    /// The second that the row of readings which led to the alert began with.
    pub since_second: i32,
}

/// How a heart rate stands to the limits of its rider: what the mail is written of and what the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Neither limit is known.
    #[default]
    Unlimited,
    /// Hands have been off the sensor for so long that nothing is known of the seconds before.
    NoContact,
    /// Within the limits.
    Within,
    /// Outside a limit, but not for as long as an alert takes.
    Leaving(Direction),
    /// Outside a limit for as long as an alert takes, and not yet well inside again.
    Outside(Direction),
}

impl Standing {
    /// The name used in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Standing::Unlimited => "unlimited",
            Standing::NoContact => "no_contact",
            Standing::Within => "within",
            Standing::Leaving(_) => "leaving",
            Standing::Outside(direction) => direction.name(),
        }
    }
}

/// Watches one ride. Feed it every reading in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Monitor {
    high: Side,
    low: Side,
    /// The newest second with contact.
    contact_second: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Side {
    /// Consecutive readings with contact outside the limit.
    streak: i32,
    /// Consecutive readings with contact bad enough for the next alert, and the second of the first of them.
    bad_streak: i32,
    bad_since: i32,
    level: i32,
    /// How far outside the last alert was, bpm, and its second.
    last_excess_bpm: i32,
    last_second: i32,
}

impl Monitor {
    /// One reading. No contact (`None`) does not count; it breaks a row only when it lasts.
    pub fn observe(
        &mut self,
        rule: &AlertRule,
        limits: Limits,
        second: i32,
        bpm: Option<i32>,
        raise: Raise,
    ) -> Option<Raised> {
        let bpm = bpm?;
        if second - self.contact_second > rule.bridge_seconds + 1 {
            for side in [&mut self.high, &mut self.low] {
                (side.streak, side.bad_streak) = (0, 0);
            }
        }
        self.contact_second = self.contact_second.max(second);
        let side = |state: &mut Side, direction, limit: Option<Limit>| {
            let limit = limit?;
            let excess = excess_bpm(direction, bpm, limit.bpm);
            state.observe(rule, second, excess, raise).then_some(Raised {
                direction,
                level: state.level,
                heart_rate_bpm: bpm,
                limit_bpm: limit.bpm,
                limit_source: limit.source,
                sustained_seconds: state.streak,
                since_second: state.bad_since,
            })
        };
        let high = side(&mut self.high, Direction::High, limits.upper);
        let low = side(&mut self.low, Direction::Low, limits.lower);
        high.or(low)
    }

    /// How the ride stands at `second`, its newest reading. An alert is raised only where this is [`Standing::Outside`].
    #[must_use]
    pub fn standing(&self, rule: &AlertRule, limits: Limits, second: i32) -> Standing {
        if self.contact_second == 0 || second - self.contact_second > rule.bridge_seconds {
            return Standing::NoContact;
        }
        let sides = [
            (self.high, Direction::High, limits.upper),
            (self.low, Direction::Low, limits.lower),
        ];
        let mut standing = Standing::Unlimited;
        for (side, direction, _) in sides.into_iter().filter(|(.., limit)| limit.is_some()) {
            if side.is_sustained(rule) {
                return Standing::Outside(direction);
            }
            if side.streak > 0 {
                standing = Standing::Leaving(direction);
            } else if standing == Standing::Unlimited {
                standing = Standing::Within;
            }
        }
        standing
    }

    /// Takes note of an alert that was raised before, as it is recorded.
    pub fn recall(&mut self, direction: Direction, level: i32, second: i32, heart_rate_bpm: i32, limit_bpm: i32) {
        let side = match direction {
            Direction::High => &mut self.high,
            Direction::Low => &mut self.low,
        };
        if level > side.level {
            *side = Side {
                level,
                last_excess_bpm: excess_bpm(direction, heart_rate_bpm, limit_bpm),
                last_second: second,
                bad_streak: 0,
                ..*side
            };
        }
    }
}

/// How far outside the limit, bpm; inside, if not positive.
fn excess_bpm(direction: Direction, bpm: i32, limit_bpm: i32) -> i32 {
    match direction {
        Direction::High => bpm - limit_bpm,
        Direction::Low => limit_bpm - bpm,
    }
}

impl Side {
    /// Whether it has been outside for as long as an alert takes.
    fn is_sustained(&self, rule: &AlertRule) -> bool {
        self.streak >= rule.sustained_seconds
    }

    /// Whether an alert is raised at a reading that is `excess` bpm outside the limit.
    fn observe(&mut self, rule: &AlertRule, second: i32, excess: i32, raise: Raise) -> bool {
        if excess > 0 {
            self.streak += 1;
        } else if self.level == 0 || excess <= -rule.hysteresis_bpm {
            self.streak = 0;
        }
        let is_bad = excess > 0 && (self.level == 0 || excess >= self.last_excess_bpm + rule.worsening_bpm);
        if is_bad && self.bad_streak == 0 {
            self.bad_since = second;
        }
        self.bad_streak = if is_bad { self.bad_streak + 1 } else { 0 };
        let cooled = self.level == 0 || second - self.last_second >= rule.cool_down_seconds;
        let is_due = self.is_sustained(rule) && self.bad_streak >= rule.sustained_seconds && cooled;
        if !is_due || raise == Raise::Later {
            return false;
        }
        *self = Side {
            level: self.level + 1,
            last_excess_bpm: excess,
            last_second: second,
            bad_streak: 0,
            ..*self
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let limit = |bpm| {
            Some(Limit {
                bpm,
                source: LimitSource::Rider,
            })
        };
        Limits {
            lower: limit(40),
            upper: limit(180),
        }
    }

    /// Feeds (bpm, seconds, raise) stretches, 0 for no contact; answers (second, direction, level) of each alert.
    fn raised(stretches: &[(i32, i32, Raise)]) -> Vec<(i32, Direction, i32)> {
        let rule = AlertRule::default();
        let mut monitor = Monitor::default();
        let mut second = 0;
        let mut raised = Vec::new();
        for &(bpm, seconds, raise) in stretches {
            for _ in 0..seconds {
                second += 1;
                let bpm = Some(bpm).filter(|&bpm| bpm > 0);
                raised.extend(
                    monitor
                        .observe(&rule, limits(), second, bpm, raise)
                        .map(|raised| (second, raised.direction, raised.level)),
                );
            }
        }
        raised
    }

    fn alerts(stretches: &[(i32, i32)]) -> Vec<(i32, Direction, i32)> {
        let now: Vec<_> = stretches
            .iter()
            .map(|&(bpm, seconds)| (bpm, seconds, Raise::Now))
            .collect();
        raised(&now)
    }

    #[test]
    fn ten_seconds_outside_raise_one_alert_and_nine_none() {
        assert_eq!(alerts(&[(181, 9), (180, 1), (181, 9)]), []);
        assert_eq!(alerts(&[(181, 400)]), [(10, Direction::High, 1)]);
        assert_eq!(alerts(&[(39, 400)]), [(10, Direction::Low, 1)]);
    }

    #[test]
    fn contact_lost_for_a_moment_neither_counts_nor_breaks_the_row() {
        assert_eq!(alerts(&[(185, 5), (0, 3), (185, 5)]), [(13, Direction::High, 1)]);
        assert_eq!(alerts(&[(185, 5), (0, 5), (185, 5)]), [(15, Direction::High, 1)]);
        assert_eq!(
            alerts(&[(185, 5), (0, 6), (185, 5)]),
            [],
            "nobody knows what was in between"
        );
        assert_eq!(alerts(&[(0, 600)]), []);
    }

    #[test]
    fn a_second_alert_needs_ten_bpm_more_and_five_minutes() {
        assert_eq!(alerts(&[(185, 10), (194, 600)]), [(10, Direction::High, 1)]);
        assert_eq!(alerts(&[(185, 10), (195, 100)]), [(10, Direction::High, 1)]);
        assert_eq!(
            alerts(&[(185, 310), (195, 10)]),
            [(10, Direction::High, 1), (320, Direction::High, 2)]
        );
    }

    /// How a ride stands after each of (bpm, seconds) stretches, 0 for no contact.
    fn standings(limits: Limits, stretches: &[(i32, i32)]) -> Vec<Standing> {
        let rule = AlertRule::default();
        let (mut monitor, mut second) = (Monitor::default(), 0);
        let mut stand = |&(bpm, seconds): &(i32, i32)| {
            for _ in 0..seconds {
                second += 1;
                let bpm = Some(bpm).filter(|&bpm| bpm > 0);
                let raised = monitor.observe(&rule, limits, second, bpm, Raise::Now);
                let standing = monitor.standing(&rule, limits, second);
                if let Some(raised) = raised {
                    assert_eq!(standing, Standing::Outside(raised.direction), "second {second}");
                }
            }
            monitor.standing(&rule, limits, second)
        };
        stretches.iter().map(&mut stand).collect()
    }

    #[test]
    fn the_screen_flags_a_ride_in_the_second_that_mails_an_alert_and_until_it_is_well_inside() {
        use Standing::{Leaving, NoContact, Outside, Within};
        let high = standings(limits(), &[(120, 5), (185, 9), (185, 1), (178, 20), (174, 1)]);
        let (leaving, outside) = (Leaving(Direction::High), Outside(Direction::High));
        assert_eq!(high, [Within, leaving, outside, outside, Within]);
        assert_eq!(standings(limits(), &[(39, 9), (39, 1)])[1], Outside(Direction::Low));
        let away = standings(limits(), &[(0, 1), (120, 1), (0, 5), (0, 1), (120, 1)]);
        assert_eq!(away, [NoContact, Within, Within, NoContact, Within]);
        let unlimited = Limits::default();
        assert_eq!(
            standings(unlimited, &[(190, 20), (0, 6)]),
            [Standing::Unlimited, NoContact]
        );
    }

    #[test]
    fn what_is_too_old_to_warn_of_is_raised_if_it_still_holds_when_readings_are_recent() {
        assert_eq!(
            raised(&[(185, 100, Raise::Later), (185, 5, Raise::Now)]),
            [(101, Direction::High, 1)]
        );
        assert_eq!(raised(&[(185, 100, Raise::Later), (120, 5, Raise::Now)]), []);
        assert_eq!(
            raised(&[(185, 100, Raise::Elsewhere), (185, 100, Raise::Now)]),
            [(10, Direction::High, 1)]
        );
    }

    #[test]
    fn an_alert_that_is_recorded_is_not_raised_again_after_a_restart() {
        let rule = AlertRule::default();
        let mut monitor = Monitor::default();
        for second in 1..=15 {
            monitor.observe(&rule, limits(), second, Some(185), Raise::Later);
        }
        monitor.recall(Direction::High, 1, 10, 185, 180);
        for second in 16..=400 {
            let raised = monitor.observe(&rule, limits(), second, Some(185), Raise::Now);
            assert_eq!(raised, None, "second {second}");
        }
    }
}
