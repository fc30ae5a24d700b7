//! Ranges: how far the values of each group are apart, from the lowest to the highest, with the middle half and the median.

use anyhow::{Context, Result, anyhow};
use plotters::prelude::{DrawingBackend, IntoDrawingArea};

use super::{
    SVG,
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index,
    svg_backend::{Shapes, SvgBackend},
    svg_document, units,
};
use crate::{report::font::Weight, template::format};

/// How high a row is, in CSS pixels.
const ROW: u32 = 26;

/// How high one is whose name is above it: where the chart is narrow.
const NARROW_ROW: u32 = 42;

/// Charts that are narrower, in CSS pixels, have no room for names beside the ranges.
const NARROW: u32 = 400;

/// Room for the axis, in CSS pixels.
const AXIS: u32 = 30;

/// Of one group: lowest, lower quartile, median, upper quartile, highest.
pub type Range = [f64; 5];

/// The chart of `groups` as an inline SVG of `width` CSS pixels and as high as it has rows; `id` is unique in its document.
///
/// # Errors
/// Plotters could not draw it.
pub fn ranges(groups: &[(String, Range)], id: &str, width: u32, (title, unit): (&str, &str)) -> Result<String> {
    let rows = u32::try_from(groups.len()).unwrap_or(u32::MAX).max(1);
    let row = if width < NARROW { NARROW_ROW } else { ROW };
    let size = (width, row.saturating_mul(rows) + AXIS);
    let mut shapes = Shapes::default();
    let backend = SvgBackend {
        shapes: &mut shapes,
        size: units(size, SVG),
    };
    draw(&Canvas::new(backend.into_drawing_area(), SVG, 12.0), groups, row)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("failed to draw `{id}`"))?;
    let told = groups.iter().map(|(name, [low, _, median, _, high])| {
        let [low, median, high] = [low, median, high].map(|value| format::count(value.round()));
        format!("{name} {low} to {high} {unit}, median {median}")
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let description = if told.is_empty() {
        "Nothing to draw.".to_owned()
    } else {
        format!("Ranges: {told}.")
    };
    Ok(svg_document(&shapes.finish(), id, size, title, &description))
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, groups: &[(String, Range)], row: u32) -> Drawn<DB> {
    let Some(largest) = groups.iter().map(|(_, range)| range[4]).reduce(f64::max) else {
        return canvas.nothing("Nothing to draw yet");
    };
    let axis = CountAxis::holding(largest);
    let em = canvas.em;
    let names = groups.iter().map(|(name, _)| canvas.text_width(name, Weight::Regular));
    let is_narrow = row == NARROW_ROW;
    let left = if is_narrow {
        0.5 * em
    } else {
        names.fold(0.0, f64::max) + 0.8 * em
    };
    let right = canvas.width - canvas.text_width(&format::count(axis.top), Weight::Regular) / 2.0 - 1.0;
    let bottom = canvas.height - f64::from(AXIS);
    let x = |value: f64| left + (right - left) * value / axis.top;
    for tick in axis.ticks() {
        let colour = if tick == 0.0 { colour::CONTROL } else { colour::RULE };
        canvas.line(&[(x(tick), 0.0), (x(tick), bottom)], 1.0, colour)?;
    }
    for tick in axis.ticks() {
        let label = format::count(tick);
        canvas.text(
            x(tick),
            bottom + 1.1 * em,
            &label,
            Align::Middle,
            Weight::Regular,
            colour::MUTED,
        )?;
    }
    for (place, (name, [low, lower, median, upper, high])) in groups.iter().enumerate() {
        let middle = f64::from(row) * (index(place) + 0.5);
        let y = if is_narrow {
            canvas.text(
                0.0,
                middle - 0.8 * em,
                name,
                Align::Start,
                Weight::Regular,
                colour::TEXT,
            )?;
            middle + 0.7 * em
        } else {
            canvas.text(left - 0.8 * em, middle, name, Align::End, Weight::Regular, colour::TEXT)?;
            middle
        };
        canvas.line(&[(x(*low), y), (x(*high), y)], 1.5, colour::CONTROL)?;
        canvas.rect(
            x(*lower),
            y - 6.0,
            (x(*upper) - x(*lower)).max(1.0),
            12.0,
            colour::TINT_2,
        )?;
        canvas.line(&[(x(*median), y - 6.0), (x(*median), y + 6.0)], 2.0, colour::ACCENT)?;
    }
    Ok(())
}
