//! What was measured during a workout, second by second, on even steps.

use super::{Figure, Figures};

/// Something that is measured all through a workout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are in `Metric::name`, with units")]
pub enum Metric {
    Power,
    Cadence,
    Resistance,
    Speed,
    HeartRate,
    Incline,
    StrokeRate,
}

impl Metric {
    /// Every metric, in the order of the table's columns.
    pub const ALL: [Metric; 7] = [
        Metric::Power,
        Metric::Cadence,
        Metric::Resistance,
        Metric::Speed,
        Metric::HeartRate,
        Metric::Incline,
        Metric::StrokeRate,
    ];

    /// The name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Power => "power_watts",
            Metric::Cadence => "cadence_rpm",
            Metric::Resistance => "resistance_percent",
            Metric::Speed => "speed_metres_per_second",
            Metric::HeartRate => "heart_rate_bpm",
            Metric::Incline => "incline_percent",
            Metric::StrokeRate => "stroke_rate_spm",
        }
    }
}

/// One step of a workout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The seconds since the beginning at which the step begins.
    pub second: i32,
    /// Means of what was measured in it, in the order of [`Metric::ALL`].
    pub values: [Option<f64>; Metric::ALL.len()],
}

/// The course of a workout.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The steps in which anything was measured, by time.
    pub samples: Vec<Sample>,
    /// What the whole comes to, and how much of it was measured.
    pub figures: Figures,
    /// Of which metric how many values cannot have been: they are in no sample.
    pub impossible: Vec<(Metric, usize)>,
}

impl Graph {
    /// Puts what the whole comes to in place of what was known of it, where that can be.
    pub fn tell(&self, figures: &mut Figures) {
        for figure in Figure::ALL {
            let told = self.figures.get(figure).filter(|value| figure.is_plausible(*value));
            figures.set(figure, told.or(figures.get(figure)));
        }
    }

    /// What is left out of the samples because it cannot have been, in words.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        self.impossible.iter().map(|(metric, count)| {
            let (name, bounds) = (metric.name(), metric.bounds());
            let (low, high) = (bounds.start(), bounds.end());
            format!("values of `{name}` that are not between {low} and {high}: {count}")
        })
    }
}

/// What was measured of one metric: by second since the beginning, counted from 1, and value.
pub type Measured = Vec<(i32, f64)>;

/// Puts measurements on even steps: each into the step that its own second is in, whatever its place in the list, as
/// seconds are left out. A step has the mean of what fell into it; one into which nothing fell is not there, and is
/// missed in the coverage.
#[must_use]
pub fn resample(measured: &[(Metric, Measured)], duration_seconds: i32, step_seconds: i32) -> (Vec<Sample>, f64) {
    let step = step_seconds.max(1);
    let last = measured
        .iter()
        .flat_map(|(_, values)| values)
        .map(|(second, _)| *second)
        .max()
        .unwrap_or(0);
    let steps = (last.max(duration_seconds) + step - 1) / step;
    let mut sums = vec![[(0.0, 0_u32); Metric::ALL.len()]; usize::try_from(steps).unwrap_or(0)];
    for (metric, values) in measured {
        for (second, value) in values {
            let place = usize::try_from((second - 1).max(0) / step).unwrap_or(0);
            if let Some(sums) = sums.get_mut(place) {
                sums[*metric as usize].0 += value;
                sums[*metric as usize].1 += 1;
            }
        }
    }
    let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
    let samples: Vec<Sample> = (0..steps)
        .zip(&sums)
        .map(|(place, sums)| Sample {
            second: place * step,
            values: sums.map(mean),
        })
        .filter(|sample| sample.values.iter().any(Option::is_some))
        .collect();
    let filled = i32::try_from(samples.len()).unwrap_or(i32::MAX);
    let coverage = if steps == 0 {
        0.0
    } else {
        f64::from(filled) / f64::from(steps)
    };
    (samples, coverage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_stands_at_its_own_second_and_gaps_are_told() {
        // Seconds 4 and 8 to 10 were left out: the sixth value is no sixth second's.
        let seconds = [1, 2, 3, 5, 6, 7, 11];
        let power: Measured = seconds
            .iter()
            .map(|second| (*second, f64::from(*second) * 10.0))
            .collect();
        let heart_rate = vec![(2, 120.0)];
        let (samples, coverage) = resample(&[(Metric::Power, power), (Metric::HeartRate, heart_rate)], 20, 2);
        let power: Vec<_> = samples.iter().map(|sample| (sample.second, sample.values[0])).collect();
        let expected = [(0, 15.0), (2, 30.0), (4, 55.0), (6, 70.0), (10, 110.0)];
        assert_eq!(power, expected.map(|(second, watts)| (second, Some(watts))));
        assert_eq!(samples[0].values[Metric::HeartRate as usize], Some(120.0));
        assert_eq!(samples[1].values[Metric::HeartRate as usize], None);
        assert!((coverage - 0.5).abs() < 1e-9, "5 of 10 steps");
        assert_eq!(resample(&[], 0, 5), (vec![], 0.0));
    }
}
