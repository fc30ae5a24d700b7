//! Traces: what was measured in each second of one ride.

use anyhow::{Result, anyhow};
use plotters::{
    prelude::{DrawingBackend, IntoDrawingArea},
    style::RGBColor,
};

use super::{
    SVG,
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index,
    svg_backend::{Shapes, SvgBackend},
    svg_document, units,
};
use crate::{report::font::Weight, template::format};

/// Points of a line at most: a longer ride is drawn of means.
const POINTS: usize = 1200;

/// What a trace is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Watts.
    Power,
    /// Beats a minute.
    HeartRate,
    /// Revolutions a minute.
    Cadence,
    /// Bike units.
    Resistance,
}

impl Measure {
    /// Every one, in the order they are read.
    pub const ALL: [Measure; 4] = [
        Measure::Power,
        Measure::HeartRate,
        Measure::Cadence,
        Measure::Resistance,
    ];

    /// Name in ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Measure::Power => "power",
            Measure::HeartRate => "heart",
            Measure::Cadence => "cadence",
            Measure::Resistance => "resistance",
        }
    }

    /// What is measured, and the unit.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Measure::Power => "Power, W",
            Measure::HeartRate => "Heart rate, bpm",
            Measure::Cadence => "Cadence, rpm",
            Measure::Resistance => "Resistance",
        }
    }

    fn colour(self) -> RGBColor {
        match self {
            Measure::Power => colour::BLUE,
            Measure::HeartRate => colour::CRIMSON,
            Measure::Cadence => colour::TEAL,
            Measure::Resistance => colour::BROWN,
        }
    }

    /// The least that its axis shows.
    fn least(self) -> f64 {
        match self {
            Measure::Power | Measure::Cadence => 100.0,
            Measure::HeartRate => 160.0,
            Measure::Resistance => 50.0,
        }
    }
}

/// What was measured in each of the `seconds`, with the `limits` it should keep to, as an SVG of `width` × `height` CSS
/// pixels. Seconds that are missing, or have no value, are gaps. `id` is unique in its document.
///
/// # Errors
/// Plotters could not draw it.
pub fn trace(
    measure: Measure,
    seconds: &[i32],
    values: &[Option<f64>],
    limits: &[f64],
    (width, height): (u32, u32),
) -> Result<String> {
    let mut shapes = Shapes::default();
    let backend = SvgBackend {
        shapes: &mut shapes,
        size: units((width, height), SVG),
    };
    let canvas = Canvas::new(backend.into_drawing_area(), SVG, 12.0);
    let points = thinned(seconds, values);
    draw(&canvas, measure, &points, limits).map_err(|error| anyhow!("{error}"))?;
    drop(canvas);
    let id = format!("trace-{}", measure.name());
    Ok(svg_document(
        &shapes.finish(),
        &id,
        (width, height),
        measure.title(),
        &description(values),
    ))
}

fn description(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied();
    match known().count() {
        0 => "Nothing was measured.".to_owned(),
        _ => format!(
            "Line chart over the seconds of the ride: from {} to {}.",
            format::count(known().fold(f64::INFINITY, f64::min)),
            format::count(known().fold(f64::NEG_INFINITY, f64::max)),
        ),
    }
}

/// Seconds and their values: means of as many neighbours as it takes to have no more than [`POINTS`].
fn thinned(seconds: &[i32], values: &[Option<f64>]) -> Vec<(f64, Option<f64>)> {
    let together = seconds.len().div_ceil(POINTS).max(1);
    let parts = seconds.chunks(together).zip(values.chunks(together));
    parts
        .map(|(seconds, values)| {
            let known: Vec<f64> = values.iter().flatten().copied().collect();
            let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / index(known.len()));
            (f64::from(seconds[0]), mean)
        })
        .collect()
}

fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    measure: Measure,
    points: &[(f64, Option<f64>)],
    limits: &[f64],
) -> Drawn<DB> {
    let largest = points
        .iter()
        .filter_map(|(_, value)| *value)
        .chain(limits.iter().copied());
    let axis = CountAxis::holding(largest.fold(measure.least(), f64::max));
    let em = canvas.em;
    let left = canvas.text_width("1,000", Weight::Regular) + 0.7 * em;
    let right = canvas.width - 1.5 * em;
    let (top, bottom) = (0.7 * em, canvas.height - 1.8 * em);
    let (first, last) = (
        points.first().map_or(0.0, |(second, _)| *second),
        points.last().map_or(0.0, |(second, _)| *second),
    );
    let span = (last - first).max(60.0);
    let x = |second: f64| left + (right - left) * (second - first) / span;
    let y = |value: f64| bottom - (bottom - top) * value / axis.top;
    canvas.grid(axis, (left, right), y)?;
    for limit in limits {
        // Dashed by hand: strokes of all backends are whole.
        let dash = 6.0;
        let mut from = left;
        while from < right {
            canvas.line(
                &[(from, y(*limit)), ((from + dash).min(right), y(*limit))],
                1.0,
                colour::ALERT,
            )?;
            from += 2.0 * dash;
        }
    }
    let apart = points
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .fold(f64::INFINITY, f64::min);
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut before = f64::NEG_INFINITY;
    for (second, value) in points {
        // A second that is not there is a gap.
        if value.is_none() || second - before > apart * 1.5 {
            line(canvas, &std::mem::take(&mut run), measure)?;
        }
        run.extend(value.map(|value| (x(*second), y(value))));
        before = *second;
    }
    line(canvas, &run, measure)?;
    let minutes = (span / 60.0 / 6.0).ceil().max(1.0);
    let mut tick = 0.0;
    while tick * 60.0 <= last {
        if tick * 60.0 >= first {
            let label = format!("{}:00", format::count(tick));
            canvas.text(
                x(tick * 60.0),
                bottom + 1.0 * em,
                &label,
                Align::Middle,
                Weight::Regular,
                colour::MUTED,
            )?;
        }
        tick += minutes;
    }
    Ok(())
}

fn line<DB: DrawingBackend>(canvas: &Canvas<DB>, points: &[(f64, f64)], measure: Measure) -> Drawn<DB> {
    match points {
        [] => Ok(()),
        [(x, y)] => canvas.dot(*x, *y, 1.0, measure.colour()),
        points => canvas.line(points, 1.5, measure.colour()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_gaps_where_nothing_was_measured_and_says_what_it_shows() {
        let seconds: Vec<i32> = (1..=60).filter(|second| !(20..25).contains(second)).collect();
        let values: Vec<_> = seconds
            .iter()
            .map(|&second| (second != 40).then_some(f64::from(second)))
            .collect();
        let svg = trace(Measure::HeartRate, &seconds, &values, &[150.0], (600, 140)).unwrap();
        let stroke = svg
            .split("stroke=\"#C02D68\"")
            .nth(1)
            .unwrap()
            .split("/>")
            .next()
            .unwrap();
        assert_eq!(
            stroke.matches('M').count(),
            3,
            "before, between and after the two gaps: {stroke}"
        );
        assert!(svg.contains("from 1 to 60."), "{svg}");
        let nothing = trace(Measure::Power, &[], &[], &[], (600, 140)).unwrap();
        assert!(nothing.contains("Nothing was measured."));
    }

    #[test]
    fn a_long_ride_is_drawn_of_means_and_stays_small() {
        let seconds: Vec<i32> = (1..=36_000).collect();
        let values: Vec<_> = seconds.iter().map(|&second| Some(f64::from(second % 300))).collect();
        assert_eq!(thinned(&seconds, &values).len(), POINTS);
        assert!(
            trace(Measure::Power, &seconds, &values, &[], (1088, 160))
                .unwrap()
                .len()
                < 40_000
        );
    }
}
