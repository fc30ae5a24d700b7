//! What a rule would have raised over rides that are over.

use std::collections::HashSet;

use super::{AlertRule, Limits, Monitor, Raise};

/// What a rule came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts that would have been raised.
    pub alerts: u64,
    /// Of those the ones that the sensor brought about: between the first reading outside the limit and the alert,
    /// contact was lost, or the heart rate changed by more than [`AlertRule::jump_bpm`] from one second to the next.
    pub sensor_faults: u64,
    /// Rides with an alert.
    pub rides: u64,
    /// Their riders.
    pub riders: HashSet<i64>,
}

/// One rule, tried on one ride after the other.
#[derive(Debug, Clone)]
pub struct Trial {
    rule: AlertRule,
    tally: Tally,
    monitor: Monitor,
    limits: Limits,
    rider_id: i64,
    has_alert: bool,
    /// The newest second with contact, and its heart rate.
    contact: Option<(i32, i32)>,
    /// The newest second at which the sensor was at fault.
    fault_second: Option<i32>,
}

impl Trial {
    /// A rule that has seen nothing.
    #[must_use]
    pub fn new(rule: AlertRule) -> Self {
        Trial {
            rule,
            tally: Tally::default(),
            monitor: Monitor::default(),
            limits: Limits::default(),
            rider_id: 0,
            has_alert: false,
            contact: None,
            fault_second: None,
        }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &AlertRule {
        &self.rule
    }

    /// What it came to until now.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next ride begins.
    pub fn begin(&mut self, rider_id: i64, limits: Limits) {
        self.monitor = Monitor::default();
        (self.limits, self.rider_id, self.has_alert) = (limits, rider_id, false);
        (self.contact, self.fault_second) = (None, None);
    }

    /// Its next reading. `bpm` is none without contact, and where the line was lost: only the first is the sensor's fault.
    pub fn observe(&mut self, second: i32, bpm: Option<i32>, is_dropout: bool) {
        match (bpm, self.contact) {
            (None, _) if is_dropout => self.fault_second = Some(second),
            (Some(bpm), Some((before, last))) if second == before + 1 && (bpm - last).abs() > self.rule.jump_bpm => {
                self.fault_second = Some(second);
            }
            _ => {}
        }
        self.contact = bpm.map(|bpm| (second, bpm)).or(self.contact);
        let raised = self.monitor.observe(&self.rule, self.limits, second, bpm, Raise::Now);
        if let Some(raised) = raised {
            self.tally.alerts += 1;
            let is_fault = self.fault_second.is_some_and(|fault| fault >= raised.since_second);
            self.tally.sensor_faults += u64::from(is_fault);
            self.tally.rides += u64::from(!std::mem::replace(&mut self.has_alert, true));
            self.tally.riders.insert(self.rider_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{heart_rate::OwnLimits, rider::Gender};

    fn tally(rides: &[&[(i32, i32)]]) -> (u64, u64, u64, usize) {
        let rule = AlertRule::default();
        let limits = rule.limits(Some(40), Gender::Male, OwnLimits::default());
        let mut trial = Trial::new(rule);
        for ride in rides {
            trial.begin(7, limits);
            let mut second = 0;
            for &(bpm, seconds) in *ride {
                for _ in 0..seconds {
                    second += 1;
                    trial.observe(second, Some(bpm).filter(|&bpm| bpm > 0), bpm == 0);
                }
            }
        }
        let Tally {
            alerts,
            sensor_faults,
            rides,
            riders,
        } = trial.tally().clone();
        (alerts, sensor_faults, rides, riders.len())
    }

    #[test]
    fn alerts_are_counted_by_ride_and_rider() {
        // The limits are 47 and 180.
        let up = [(150, 10), (170, 10), (185, 20)];
        assert_eq!(tally(&[&up, &up, &[(150, 600)]]), (2, 0, 2, 1));
    }

    #[test]
    fn a_jump_into_the_row_or_lost_contact_within_it_is_the_sensors_fault() {
        assert_eq!(tally(&[&[(120, 10), (190, 20)]]), (1, 1, 1, 1));
        assert_eq!(tally(&[&[(170, 10), (185, 5), (0, 2), (185, 5)]]), (1, 1, 1, 1));
        assert_eq!(
            tally(&[&[(120, 10), (0, 3), (170, 10), (185, 10)]]),
            (1, 0, 1, 1),
            "before the row"
        );
    }
}
