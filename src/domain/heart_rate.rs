//! Heart-rate limits and when leaving them is worth an alert: one rule for mail, API and screen.
//!
//! Sources of the upper limit's formulas for the maximum heart rate by age:
//! - Tanaka, Monahan, Seals: Age-predicted maximal heart rate revisited. J Am Coll Cardiol 2001;37:153–156.
//! - Gellish et al.: Longitudinal modeling of the relationship between age and maximal heart rate. Med Sci Sports Exerc
//!   2007;39:822–829.
//! - Fox, Naughton, Haskell: Physical activity and the prevention of coronary heart disease. Ann Clin Res
//!   1971;3:404–432.
//!
//! All three predict within about ± 10 bpm for one person.

use serde::{Deserialize, Serialize};

use super::rider::Gender;

/// How the maximum heart rate follows from age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// 208 − 0.7 · age
    #[default]
    Tanaka,
    /// 206.9 − 0.67 · age
    Gellish,
    /// 220 − age
    Fox,
}

impl Formula {
    /// The name used in settings, tables and mails.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Formula::Tanaka => "tanaka",
            Formula::Gellish => "gellish",
            Formula::Fox => "fox",
        }
    }

    /// Predicted maximum heart rate, bpm.
    #[must_use]
    pub fn maximum_bpm(self, age: i32) -> f64 {
        let age = f64::from(age);
        match self {
            Formula::Tanaka => 208.0 - 0.7 * age,
            Formula::Gellish => 206.9 - 0.67 * age,
            Formula::Fox => 220.0 - age,
        }
    }
}

/// Every number of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlertRule {
    /// Formula of the upper limit.
    pub formula: Formula,
    /// The upper limit as a fraction of the formula's maximum.
    pub fraction: f64,
    /// Consecutive seconds with contact outside a limit before an alert.
    pub sustained_seconds: i32,
    /// How far back inside the limit the heart rate has to come before leaving it again counts anew, bpm.
    pub hysteresis_bpm: i32,
    /// Time between two alerts of one ride and direction, seconds.
    pub cool_down_seconds: i32,
    /// How much worse it has to get for a second alert of one ride and direction, bpm.
    pub worsening_bpm: i32,
    /// Readings older than this raise nothing, seconds.
    pub max_age_seconds: i64,
}

impl Default for AlertRule {
    fn default() -> Self {
        AlertRule {
            formula: Formula::Tanaka,
            fraction: 1.0,
            sustained_seconds: 10,
            hysteresis_bpm: 5,
            cool_down_seconds: 300,
            worsening_bpm: 10,
            max_age_seconds: 300,
        }
    }
}

/// The limits that hold for one rider, bpm. A side without a limit never alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Below this is too low.
    pub lower_bpm: Option<i32>,
    /// Above this is too high.
    pub upper_bpm: Option<i32>,
}

impl AlertRule {
    /// The limits by age and gender. Unknown age: none.
    #[must_use]
    pub fn limits(&self, age: Option<i32>, gender: Gender) -> Limits {
        let Some(age) = age else { return Limits::default() };
        #[expect(clippy::cast_possible_truncation, reason = "a heart rate is a small number")]
        let upper = (self.fraction * self.formula.maximum_bpm(age)).round() as i32;
        Limits {
            lower_bpm: Some(lower_limit_bpm(age, gender)),
            upper_bpm: Some(upper),
        }
    }
}

/// Lower limit by age and gender; under-18s are given the widest berth, that of the oldest.
fn lower_limit_bpm(age: i32, gender: Gender) -> i32 {
    let (young, middle, old) = if gender == Gender::Male {
        (40, 47, 52)
    } else {
        (45, 52, 57)
    };
    match age {
        18..=39 => young,
        40..=64 => middle,
        _ => old,
    }
}

/// On which side of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Above the upper limit.
    High,
    /// Below the lower limit.
    Low,
}

impl Direction {
    /// The name used in tables and mails.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Direction::High => "high",
            Direction::Low => "low",
        }
    }
}

/// An alert that the rule calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// On which side.
    pub direction: Direction,
    /// 1 for the first of its ride and direction, 2 when it worsened, …
    pub level: i32,
    /// The heart rate that completed the streak.
    pub heart_rate_bpm: i32,
    /// The limit it is outside of.
    pub limit_bpm: i32,
    /// Seconds with contact outside the limit so far.
    pub sustained_seconds: i32,
}

/// An alert as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The ride.
    pub ride_id: uuid::Uuid,
    /// Its rider.
    pub rider_id: i64,
    /// The instant of the reading that raised it.
    pub raised_at: super::event::LogInstant,
    /// That reading's second.
    pub second: i32,
    /// What the rule said.
    pub raised: Raised,
    /// Where the limit comes from: a formula's name, `age and gender`, or `rider`.
    pub limit_source: &'static str,
}

/// Watches one ride. Feed it every reading in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Monitor {
    high: Side,
    low: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Side {
    /// Consecutive readings with contact outside the limit.
    streak: i32,
    /// Consecutive readings with contact bad enough for the next alert.
    bad_streak: i32,
    level: i32,
    /// How far outside the last alert was, bpm, and its second.
    last_excess_bpm: i32,
    last_second: i32,
}

impl Monitor {
    /// One reading. No contact (`None`) neither counts nor breaks a streak: hands leave the bars for a moment.
    pub fn observe(&mut self, rule: &AlertRule, limits: Limits, second: i32, bpm: Option<i32>) -> Option<Raised> {
        let bpm = bpm?;
        let side = |state: &mut Side, direction, limit: Option<i32>, excess: fn(i32, i32) -> i32| {
            let limit_bpm = limit?;
            state.observe(rule, second, excess(bpm, limit_bpm)).then_some(Raised {
                direction,
                level: state.level,
                heart_rate_bpm: bpm,
                limit_bpm,
                sustained_seconds: state.streak,
            })
        };
        let high = side(&mut self.high, Direction::High, limits.upper_bpm, |bpm, limit| {
            bpm - limit
        });
        let low = side(&mut self.low, Direction::Low, limits.lower_bpm, |bpm, limit| {
            limit - bpm
        });
        high.or(low)
    }
}

impl Side {
    /// Whether an alert is due at a reading that is `excess` bpm outside the limit (inside, if not positive).
    fn observe(&mut self, rule: &AlertRule, second: i32, excess: i32) -> bool {
        if excess > 0 {
            self.streak += 1;
        } else if self.level == 0 || excess <= -rule.hysteresis_bpm {
            self.streak = 0;
        }
        let is_bad = excess > 0 && (self.level == 0 || excess >= self.last_excess_bpm + rule.worsening_bpm);
        self.bad_streak = if is_bad { self.bad_streak + 1 } else { 0 };
        let cooled = self.level == 0 || second - self.last_second >= rule.cool_down_seconds;
        let due = self.bad_streak >= rule.sustained_seconds && cooled;
        if due {
            *self = Side {
                level: self.level + 1,
                last_excess_bpm: excess,
                last_second: second,
                bad_streak: 0,
                ..*self
            };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds (bpm, seconds) stretches, 0 for no contact; answers (second, direction, level) of each alert.
    fn alerts(stretches: &[(i32, i32)]) -> Vec<(i32, Direction, i32)> {
        let rule = AlertRule::default();
        let limits = Limits {
            lower_bpm: Some(40),
            upper_bpm: Some(180),
        };
        let mut monitor = Monitor::default();
        let mut second = 0;
        let mut raised = Vec::new();
        for &(bpm, seconds) in stretches {
            for _ in 0..seconds {
                second += 1;
                let bpm = Some(bpm).filter(|&bpm| bpm > 0);
                raised.extend(
                    monitor
                        .observe(&rule, limits, second, bpm)
                        .map(|r| (second, r.direction, r.level)),
                );
            }
        }
        raised
    }

    #[test]
    fn limits_follow_the_formula_the_age_and_the_gender() {
        let rule = AlertRule::default();
        assert_eq!(
            rule.limits(Some(43), Gender::Male),
            Limits {
                lower_bpm: Some(47),
                upper_bpm: Some(178)
            }
        );
        assert_eq!(
            rule.limits(Some(25), Gender::Female),
            Limits {
                lower_bpm: Some(45),
                upper_bpm: Some(191)
            }
        );
        assert_eq!(rule.limits(Some(16), Gender::Unknown).lower_bpm, Some(57));
        assert_eq!(rule.limits(None, Gender::Male), Limits::default());
        let fox = AlertRule {
            formula: Formula::Fox,
            fraction: 0.9,
            ..rule
        };
        assert_eq!(fox.limits(Some(40), Gender::Male).upper_bpm, Some(162));
    }

    #[test]
    fn ten_seconds_outside_raise_one_alert_and_nine_none() {
        assert_eq!(alerts(&[(181, 9), (180, 1), (181, 9)]), []);
        assert_eq!(alerts(&[(181, 400)]), [(10, Direction::High, 1)]);
        assert_eq!(alerts(&[(39, 400)]), [(10, Direction::Low, 1)]);
    }

    #[test]
    fn lost_contact_neither_counts_nor_breaks_the_streak() {
        assert_eq!(alerts(&[(185, 5), (0, 3), (185, 5)]), [(13, Direction::High, 1)]);
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
}
