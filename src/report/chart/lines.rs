//! Lines over months: several figures side by side, each named at its end, or above where the chart is narrow.

use anyhow::{Context, Result, anyhow};
use chrono::NaiveDate;
use plotters::prelude::{DrawingBackend, IntoDrawingArea, RGBColor};

use super::{
    SVG,
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index,
    svg_backend::{Shapes, SvgBackend},
    svg_document, units,
};
use crate::{report::font::Weight, template::format};

/// As many lines as can be told apart.
pub const MOST_LINES: usize = 6;

const COLOURS: [RGBColor; MOST_LINES] = [
    colour::ACCENT,
    colour::CRIMSON,
    colour::BLUE,
    colour::BROWN,
    colour::PURPLE,
    colour::OCHRE,
];

/// Charts that are narrower, in CSS pixels, have no room for names beside the lines.
const NARROW: u32 = 400;

/// How high a name above the lines is, in CSS pixels.
const NAME: u32 = 18;

/// One line: its name and a value a month; none where there is nothing.
pub type Line = (String, Vec<Option<f64>>);

/// The chart of `lines`, at most [`MOST_LINES`], over `months`, as an inline SVG of `size` CSS pixels, higher by the
/// names where they are above; `id` is unique in its document.
///
/// # Errors
/// Plotters could not draw it.
pub fn lines(months: &[NaiveDate], lines: &[Line], id: &str, size: (u32, u32), title: &str) -> Result<String> {
    let is_narrow = size.0 < NARROW;
    let names = if is_narrow {
        u32::try_from(lines.len())? * NAME
    } else {
        0
    };
    let size = (size.0, size.1 + names);
    let mut shapes = Shapes::default();
    let backend = SvgBackend {
        shapes: &mut shapes,
        size: units(size, SVG),
    };
    draw(
        &Canvas::new(backend.into_drawing_area(), SVG, 12.0),
        months,
        lines,
        is_narrow,
    )
    .map_err(|error| anyhow!("{error}"))
    .with_context(|| format!("failed to draw `{id}`"))?;
    Ok(svg_document(
        &shapes.finish(),
        id,
        size,
        title,
        &describe(months, lines),
    ))
}

fn describe(months: &[NaiveDate], lines: &[Line]) -> String {
    let ends = |(name, values): &Line| {
        let mut known = months
            .iter()
            .zip(values)
            .filter_map(|(month, value)| Some((month, (*value)?)));
        let (first, from) = known.next()?;
        let said =
            |month: &NaiveDate, value: f64| format!("{} in {}", format::count(value.round()), format::month(*month));
        let last = known.next_back().map(|(last, to)| format!(" to {}", said(last, to)));
        Some(format!("{name} {}{}", said(first, from), last.unwrap_or_default()))
    };
    let told: Vec<String> = lines.iter().filter_map(ends).collect();
    if told.is_empty() {
        return "Nothing to draw.".to_owned();
    }
    format!("Line chart by month: {}.", told.join("; "))
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, months: &[NaiveDate], lines: &[Line], is_narrow: bool) -> Drawn<DB> {
    let values = lines.iter().flat_map(|(_, values)| values).flatten();
    let Some(largest) = values.copied().reduce(f64::max) else {
        return canvas.nothing("Nothing to draw yet");
    };
    let axis = CountAxis::holding(largest);
    let em = canvas.em;
    let left = canvas.text_width(&format::count(axis.top), Weight::Regular) + 0.7 * em;
    let names = lines.iter().map(|(name, _)| canvas.text_width(name, Weight::Regular));
    let right = if is_narrow {
        canvas.width - 0.5 * em
    } else {
        canvas.width - names.fold(0.0, f64::max) - 1.7 * em
    };
    let above = if is_narrow {
        f64::from(NAME) * index(lines.len())
    } else {
        0.0
    };
    let (top, bottom) = (above + em, canvas.height - 2.0 * em);
    let x = |place: usize| left + (right - left) * index(place) / index(months.len().max(2) - 1);
    let y = |value: f64| bottom - (bottom - top) * value / axis.top;
    canvas.grid(axis, (left, right), y)?;

    let label_width = canvas.text_width("Mmm 0000", Weight::Regular) + 0.8 * em;
    let has_room = |step: &usize| (right - left) * index(*step) / index(months.len().max(2) - 1) >= label_width;
    let step = [1, 2, 3, 6, 12, 24, 60].into_iter().find(has_room).unwrap_or(120);
    for place in (0..months.len()).rev().step_by(step) {
        canvas.line(
            &[(x(place), bottom), (x(place), bottom + 0.35 * em)],
            1.0,
            colour::CONTROL,
        )?;
        let label = months[place].format("%b %Y").to_string();
        // Neither the first month's nor the last may hang over the edge.
        let half = canvas.text_width(&label, Weight::Regular) / 2.0 + 1.0;
        let at = x(place).clamp(half, canvas.width - half);
        canvas.text(
            at,
            bottom + 1.15 * em,
            &label,
            Align::Middle,
            Weight::Regular,
            colour::MUTED,
        )?;
    }

    let mut ends = Vec::new();
    for ((name, values), colour) in lines.iter().zip(COLOURS) {
        // A month without anything breaks the line.
        for run in values
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .split(|(_, value)| value.is_none())
        {
            let points: Vec<(f64, f64)> = run
                .iter()
                .filter_map(|(place, value)| Some((x(*place), y((**value)?))))
                .collect();
            match points.as_slice() {
                [] => {}
                [(x, y)] => canvas.dot(*x, *y, 2.5, colour)?,
                points => canvas.line(points, 2.0, colour)?,
            }
        }
        if let Some(last) = values.iter().rev().flatten().next() {
            ends.push((y(*last), name, colour));
        }
    }
    if is_narrow {
        for (place, ((name, _), colour)) in lines.iter().zip(COLOURS).enumerate() {
            named(canvas, (0.5 * em, f64::from(NAME) * (index(place) + 0.5)), name, colour)?;
        }
        return Ok(());
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let places = apart(ends.iter().map(|(at, ..)| *at).collect(), 1.3 * em, bottom);
    for (at, (_, name, colour)) in places.into_iter().zip(ends) {
        named(canvas, (right + 0.8 * em, at), name, colour)?;
    }
    Ok(())
}

/// A name with a dot of its line's colour before it.
fn named<DB: DrawingBackend>(canvas: &Canvas<DB>, (x, y): (f64, f64), name: &str, colour: RGBColor) -> Drawn<DB> {
    canvas.dot(x, y, 4.0, colour)?;
    let beside = x + 0.7 * canvas.em;
    canvas.text(beside, y, name, Align::Start, Weight::Regular, colour::TEXT)
}

/// Heights from the highest to the lowest, moved so far that none is nearer to another than `least` and none below `bottom`.
fn apart(mut heights: Vec<f64>, least: f64, bottom: f64) -> Vec<f64> {
    let mut free = f64::NEG_INFINITY;
    for at in &mut heights {
        *at = at.max(free);
        free = *at + least;
    }
    let mut free = bottom;
    for at in heights.iter_mut().rev() {
        *at = at.min(free);
        free = *at - least;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lines_that_end_together_are_neither_on_each_other_nor_on_the_axis() {
        assert_eq!(apart(vec![10.0, 50.0, 90.0], 15.0, 100.0), [10.0, 50.0, 90.0]);
        assert_eq!(apart(vec![10.0, 10.0, 12.0], 15.0, 100.0), [10.0, 25.0, 40.0]);
        assert_eq!(apart(vec![100.0, 100.0, 100.0], 15.0, 100.0), [70.0, 85.0, 100.0]);
    }
}
