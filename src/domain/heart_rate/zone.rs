//! Heart-rate zones: how hard a second was, as `jobs/daily_heart_rate_zones.sql` has it.

use super::Formula;

/// A share of the maximum heart rate that is predicted from age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// Below 60 %.
    Z1,
    /// Below 70 %.
    Z2,
    /// Below 80 %.
    Z3,
    /// Below 90 %.
    Z4,
    /// From there on.
    Z5,
}

impl Zone {
    /// Every zone, from light effort to hard.
    pub const ALL: [Zone; 5] = [Zone::Z1, Zone::Z2, Zone::Z3, Zone::Z4, Zone::Z5];

    /// The zone of a heart rate, at an age in years. The maximum is Tanaka's, whichever formula limits go by: so a zone
    /// means the same on every page.
    #[must_use]
    pub fn of(bpm: i32, age: i32) -> Self {
        let effort = f64::from(bpm) / Formula::Tanaka.maximum_bpm(age);
        let above = [0.6, 0.7, 0.8, 0.9].into_iter().filter(|least| effort >= *least);
        Zone::ALL[above.count()]
    }

    /// The name used in tables and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Zone::Z1 => "z1",
            Zone::Z2 => "z2",
            Zone::Z3 => "z3",
            Zone::Z4 => "z4",
            Zone::Z5 => "z5",
        }
    }

    /// Its number, 1 to 5.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_begins_at_its_share_of_the_maximum_for_the_age() {
        // At 40 the maximum is 180.
        let names = [107, 108, 126, 143, 144, 161, 162, 200].map(|bpm| Zone::of(bpm, 40).name());
        assert_eq!(names, ["z1", "z2", "z3", "z3", "z4", "z4", "z5", "z5"]);
        assert_eq!(Zone::ALL.map(Zone::number), [1, 2, 3, 4, 5]);
    }
}
