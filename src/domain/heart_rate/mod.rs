//! Heart-rate limits and when leaving them is worth an alert: one rule for mail, API and screen.
//!
//! Sources of the upper limit's formulas for the maximum heart rate by age:
//! - Tanaka, Monahan, Seals: Age-predicted maximal heart rate revisited. J Am Coll Cardiol 2001;37:153–156.
//! - Gellish et al.: Longitudinal modeling of the relationship between age and maximal heart rate. Med Sci Sports Exerc
//!   2007;39:822–829.
//! - Fox, Naughton, Haskell: Physical activity and the prevention of coronary heart disease. Ann Clin Res
//!   1971;3:404–432.
//!
//! All three predict within about ± 10 bpm for one person. The lower limits by age and gender are the company's own
//! table. Weight, height and anything else known of a rider are in none of them.

mod backtest;
mod monitor;
mod set;
mod zone;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use self::{
    backtest::{Tally, Trial},
    monitor::{Monitor, Raise, Raised, Standing},
    set::{BPM_RANGE, KEYS},
    zone::Zone,
};
use super::{event::LogInstant, message::Envelope, rider::Gender};

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
    /// Every formula.
    pub const ALL: [Formula; 3] = [Formula::Tanaka, Formula::Gellish, Formula::Fox];

    /// The name used in settings, tables and mails.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Formula::Tanaka => "tanaka",
            Formula::Gellish => "gellish",
            Formula::Fox => "fox",
        }
    }

    /// The formula as people write it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Formula::Tanaka => "208 − 0.7 × age",
            Formula::Gellish => "206.9 − 0.67 × age",
            Formula::Fox => "220 − age",
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

/// Every number of the rule; `[heart_rate]` in `cron.toml` sets them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlertRule {
    /// Formula of the upper limit.
    pub formula: Formula,
    /// The upper limit as a fraction of the formula's maximum.
    pub fraction: f64,
    /// The lower limits.
    pub lower: LowerLimits,
    /// Consecutive seconds with contact outside a limit before an alert.
    pub sustained_seconds: i32,
    /// Seconds without contact, or without a reading, that do not break the row: hands leave the bars for a moment.
    pub bridge_seconds: i32,
    /// How far back inside the limit the heart rate has to come, after an alert, before leaving it again counts anew, bpm.
    pub hysteresis_bpm: i32,
    /// Time between two alerts of one ride and direction, seconds.
    pub cool_down_seconds: i32,
    /// How much worse it has to get for a second alert of one ride and direction, bpm.
    pub worsening_bpm: i32,
    /// Readings older than this raise nothing, seconds.
    pub max_age_seconds: i64,
    /// A change of more than this from one second to the next is the sensor's doing, not the heart's, bpm. Counted in a
    /// backtest; it keeps no alert from being raised.
    pub jump_bpm: i32,
}

impl AlertRule {
    /// Whether a reading of `at` is young enough, `now`, to raise an alert.
    #[must_use]
    pub fn is_recent(&self, at: LogInstant, now: LogInstant) -> bool {
        now - at <= self.max_age_seconds * 1_000_000
    }
}

impl Default for AlertRule {
    fn default() -> Self {
        AlertRule {
            formula: Formula::Tanaka,
            fraction: 1.0,
            lower: LowerLimits::default(),
            sustained_seconds: 10,
            bridge_seconds: 5,
            hysteresis_bpm: 5,
            cool_down_seconds: 300,
            worsening_bpm: 10,
            max_age_seconds: 300,
            jump_bpm: 20,
        }
    }
}

/// Lower limits in three bands of age. Whoever is younger than the first is given the widest berth, that of the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowerLimits {
    /// The age each band begins at.
    pub from_age: [i32; 3],
    /// Men's, bpm.
    pub men: [i32; 3],
    /// Everybody else's, bpm.
    pub others: [i32; 3],
}

impl Default for LowerLimits {
    fn default() -> Self {
        LowerLimits {
            from_age: [18, 40, 65],
            men: [40, 47, 52],
            others: [45, 52, 57],
        }
    }
}

impl LowerLimits {
    fn bpm(&self, age: i32, gender: Gender) -> i32 {
        let by_band = if gender == Gender::Male { self.men } else { self.others };
        let [young, middle, old] = self.from_age;
        if (young..middle).contains(&age) {
            by_band[0]
        } else if (middle..old).contains(&age) {
            by_band[1]
        } else {
            by_band[2]
        }
    }
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitSource {
    /// The rider's age.
    Formula(Formula),
    /// The table of lower limits.
    AgeAndGender,
    /// It was set for the rider.
    Rider,
}

impl LimitSource {
    /// The name used in tables and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LimitSource::Formula(formula) => formula.name(),
            LimitSource::AgeAndGender => "age and gender",
            LimitSource::Rider => "rider",
        }
    }
}

/// One limit, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Beats a minute.
    pub bpm: i32,
    /// Who says so.
    pub source: LimitSource,
}

/// The limits that hold for one rider. A side without a limit never alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Below this is too low.
    pub lower: Option<Limit>,
    /// Above this is too high.
    pub upper: Option<Limit>,
}

/// What was settled for one rider: limits that win over those by age, and whether alerts are mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLimits {
    /// Below this is too low; none: as for everybody.
    pub lower_bpm: Option<i32>,
    /// Above this is too high; none: as for everybody.
    pub upper_bpm: Option<i32>,
    /// Whether the rider wants mails about alerts.
    pub is_mailed: bool,
}

impl Default for OwnLimits {
    /// As for everybody.
    fn default() -> Self {
        OwnLimits {
            lower_bpm: None,
            upper_bpm: None,
            is_mailed: true,
        }
    }
}

/// An upper limit by age may be as low as this: a lower one above it would leave nothing between the two.
const LOWEST_UPPER_BPM: i32 = 150;

impl OwnLimits {
    /// Whether they can be meant.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        for (which, bpm) in [("lower", self.lower_bpm), ("upper", self.upper_bpm)] {
            if let Some(bpm) = bpm.filter(|bpm| !BPM_RANGE.contains(bpm)) {
                let (least, most) = (BPM_RANGE.start(), BPM_RANGE.end());
                return Err(format!(
                    "{bpm} bpm is no {which} limit of a heart rate: give one from {least} to {most}"
                ));
            }
        }
        match (self.lower_bpm, self.upper_bpm) {
            (Some(lower), Some(upper)) if lower >= upper => Err(format!(
                "the lower limit, {lower} bpm, is not below the upper one, {upper} bpm"
            )),
            (Some(lower), None) if lower >= LOWEST_UPPER_BPM => Err(format!(
                "with a lower limit of {lower} bpm nearly every heart rate would be outside: give one below {LOWEST_UPPER_BPM}, \
                 or the upper limit too"
            )),
            _ => Ok(()),
        }
    }
}

/// What was settled for which rider.
pub type RiderLimits = HashMap<i64, OwnLimits>;

impl AlertRule {
    /// The limits of a rider: what was settled for them, else what their age and gender say. Unknown age: only what was
    /// settled.
    #[must_use]
    pub fn limits(&self, age: Option<i32>, gender: Gender, own: OwnLimits) -> Limits {
        let own_limit = |bpm: Option<i32>| {
            bpm.map(|bpm| Limit {
                bpm,
                source: LimitSource::Rider,
            })
        };
        #[expect(clippy::cast_possible_truncation, reason = "a heart rate is a small number")]
        let by_formula = age.map(|age| Limit {
            bpm: (self.fraction * self.formula.maximum_bpm(age)).round() as i32,
            source: LimitSource::Formula(self.formula),
        });
        let by_table = age.map(|age| Limit {
            bpm: self.lower.bpm(age, gender),
            source: LimitSource::AgeAndGender,
        });
        let (own_lower, own_upper) = (own_limit(own.lower_bpm), own_limit(own.upper_bpm));
        // What was set for the rider wins also where it leaves no room for the other side's limit by age.
        let is_below = |lower: &Limit, upper: Option<Limit>| upper.is_none_or(|upper| lower.bpm < upper.bpm);
        Limits {
            lower: own_lower.or(by_table.filter(|lower| is_below(lower, own_upper))),
            upper: own_upper
                .or(by_formula.filter(|upper| own_lower.is_none_or(|lower| is_below(&lower, Some(*upper))))),
        }
    }
}

/// On which side of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// The direction called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Direction::High, Direction::Low]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
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
    /// Whom it warns.
    pub warned: Warned,
    /// The mail to the rider, stored with the alert; none where there is nobody to mail.
    pub mail: Option<Envelope>,
}

impl Alert {
    /// The topic of its mail: one is ever sent for it to one recipient.
    #[must_use]
    pub fn topic(&self) -> String {
        format!(
            "{} {} {}",
            self.ride_id,
            self.raised.direction.name(),
            self.raised.level
        )
    }
}

/// Of a rider what a mail about an alert needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warned {
    /// First name.
    pub forename: Option<String>,
    /// Age at the start of the ride.
    pub age: Option<i32>,
    /// The address that the bike knows; none also where the rider does not want these mails.
    pub email_address: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bpm(limits: Limits) -> (Option<i32>, Option<i32>) {
        (limits.lower.map(|limit| limit.bpm), limits.upper.map(|limit| limit.bpm))
    }

    fn own(lower_bpm: Option<i32>, upper_bpm: Option<i32>) -> OwnLimits {
        OwnLimits {
            lower_bpm,
            upper_bpm,
            ..OwnLimits::default()
        }
    }

    #[test]
    fn limits_follow_the_formula_the_age_and_the_gender() {
        let rule = AlertRule::default();
        let limits = |age, gender| bpm(rule.limits(age, gender, OwnLimits::default()));
        assert_eq!(limits(Some(43), Gender::Male), (Some(47), Some(178)));
        assert_eq!(limits(Some(25), Gender::Female), (Some(45), Some(191)));
        assert_eq!(limits(Some(16), Gender::Unknown).0, Some(57));
        assert_eq!(limits(Some(65), Gender::Male).0, Some(52));
        assert_eq!(limits(None, Gender::Male), (None, None));
        let fox = AlertRule {
            formula: Formula::Fox,
            fraction: 0.9,
            ..rule
        };
        let limits = fox.limits(Some(40), Gender::Male, OwnLimits::default());
        assert_eq!(bpm(limits).1, Some(162));
        assert_eq!(limits.upper.map(|limit| limit.source.name()), Some("fox"));
    }

    #[test]
    fn a_limit_set_for_the_rider_wins_and_needs_no_age() {
        let rule = AlertRule::default();
        let limits = rule.limits(Some(43), Gender::Male, own(None, Some(150)));
        assert_eq!(bpm(limits), (Some(47), Some(150)));
        assert_eq!(limits.upper.map(|limit| limit.source), Some(LimitSource::Rider));
        assert_eq!(limits.lower.map(|limit| limit.source), Some(LimitSource::AgeAndGender));
        assert_eq!(
            bpm(rule.limits(None, Gender::Unknown, own(None, Some(150)))),
            (None, Some(150))
        );
        let odd = rule.limits(Some(70), Gender::Female, own(None, Some(55)));
        assert_eq!(bpm(odd), (None, Some(55)), "no heart rate is both too high and too low");
        assert_eq!(
            bpm(rule.limits(Some(70), Gender::Female, own(Some(170), None))),
            (Some(170), None)
        );
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        assert_eq!(own(Some(50), Some(160)).check(), Ok(()));
        assert_eq!(OwnLimits::default().check(), Ok(()));
        assert!(own(None, Some(1600)).check().unwrap_err().contains("1600 bpm"));
        assert!(own(Some(160), Some(160)).check().unwrap_err().contains("not below"));
        // Without an upper limit of their own, who knows what is above it.
        assert!(own(Some(200), None).check().unwrap_err().contains("below 150"));
        assert_eq!(own(Some(149), None).check(), Ok(()));
        assert_eq!(own(Some(160), Some(200)).check(), Ok(()));
    }
}
