//! The rule's numbers by name, for `cron.toml` and the command line alike.

use std::ops::RangeInclusive;

use super::{AlertRule, Formula};

/// The names that [`AlertRule::set`] knows.
pub const KEYS: [&str; 12] = [
    "formula",
    "fraction",
    "seconds",
    "bridge_seconds",
    "hysteresis_bpm",
    "cool_down_seconds",
    "worsening_bpm",
    "max_age_seconds",
    "jump_bpm",
    "lower_from_age",
    "lower_bpm_men",
    "lower_bpm_others",
];

/// Heart rates that can be a limit.
pub const BPM_RANGE: RangeInclusive<i32> = 25..=250;

impl AlertRule {
    /// Sets one number by its name, one of [`KEYS`]. A list is written `40, 47, 52`.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let value = value.trim();
        match key {
            "formula" => {
                self.formula = Formula::ALL
                    .into_iter()
                    .find(|formula| formula.name() == value)
                    .ok_or_else(|| {
                        let known = Formula::ALL.map(|formula| format!("`{}`", formula.name())).join(", ");
                        format!("`{value}` is none of {known}")
                    })?;
            }
            "fraction" => {
                self.fraction = value
                    .parse()
                    .ok()
                    .filter(|fraction| (0.3..=1.5).contains(fraction))
                    .ok_or("expected a number from 0.3 to 1.5")?;
            }
            "seconds" => self.sustained_seconds = whole(value, 1..=3600)?,
            "bridge_seconds" => self.bridge_seconds = whole(value, 0..=3600)?,
            "hysteresis_bpm" => self.hysteresis_bpm = whole(value, 0..=100)?,
            "cool_down_seconds" => self.cool_down_seconds = whole(value, 0..=86_400)?,
            "worsening_bpm" => self.worsening_bpm = whole(value, 1..=100)?,
            "max_age_seconds" => self.max_age_seconds = whole(value, 1..=86_400)?.into(),
            "jump_bpm" => self.jump_bpm = whole(value, 1..=250)?,
            "lower_from_age" => {
                let ages = three(value, 0..=150)?;
                if !ages.is_sorted_by(|younger, older| younger < older) {
                    return Err("expected three ages, each greater than the one before".to_owned());
                }
                self.lower.from_age = ages;
            }
            "lower_bpm_men" => self.lower.men = three(value, BPM_RANGE)?,
            "lower_bpm_others" => self.lower.others = three(value, BPM_RANGE)?,
            _ => return Err(format!("there is no `{key}`; there are {}", KEYS.join(", "))),
        }
        Ok(())
    }
}

fn whole(text: &str, range: RangeInclusive<i32>) -> Result<i32, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
}

fn three(text: &str, range: RangeInclusive<i32>) -> Result<[i32; 3], String> {
    let numbers: Vec<i32> = text
        .split(',')
        .map(|number| whole(number.trim(), range.clone()))
        .collect::<Result<_, _>>()?;
    numbers
        .try_into()
        .map_err(|_| "expected three numbers, one for each band of age".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_name_and_bounds() {
        let mut rule = AlertRule::default();
        for key in KEYS {
            let refusal = rule.set(key, "nonsense").unwrap_err();
            assert!(
                refusal.contains("expected") || refusal.contains("none of"),
                "{key}: {refusal}"
            );
        }
        rule.set("seconds", "15").unwrap();
        rule.set("fraction", "0.95").unwrap();
        rule.set("formula", "fox").unwrap();
        rule.set("lower_bpm_men", "41, 48, 53").unwrap();
        assert_eq!((rule.sustained_seconds, rule.formula), (15, Formula::Fox));
        assert_eq!(rule.lower.men, [41, 48, 53]);
        assert!(rule.set("lower_from_age", "18, 18, 65").is_err());
        assert!(rule.set("second", "15").unwrap_err().contains("seconds"));
    }
}
