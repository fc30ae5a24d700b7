//! Sparklines: up to 28 days of one figure, without axes, beside the figure itself.

use anyhow::{Result, anyhow};
use plotters::prelude::{DrawingBackend, IntoDrawingArea};

use super::{
    SVG,
    canvas::{Canvas, Drawn, colour},
    index,
    svg_backend::{Shapes, SvgBackend},
    units,
};

/// The sparkline of `values`, from the first known one on, as an SVG of `width` × `height` CSS pixels, hidden from assistive technology: the figure
/// and its changes are beside it in words. Empty where there is no line to draw.
///
/// # Errors
/// Plotters could not draw it.
pub fn sparkline(values: &[Option<f64>], width: u32, height: u32) -> Result<String> {
    let unknown = values.iter().take_while(|value| value.is_none()).count();
    let values = &values[unknown..];
    if values.iter().flatten().count() < 2 {
        return Ok(String::new());
    }
    let mut shapes = Shapes::default();
    let (columns, rows) = units((width, height), SVG);
    let backend = SvgBackend {
        shapes: &mut shapes,
        size: (columns, rows),
    };
    draw(&Canvas::new(backend.into_drawing_area(), SVG, 12.0), values).map_err(|error| anyhow!("{error}"))?;
    Ok(format!(
        "<svg class=\"spark\" aria-hidden=\"true\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {columns} {rows}\" fill=\"none\">{}</svg>",
        shapes.finish(),
    ))
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, values: &[Option<f64>]) -> Drawn<DB> {
    let known = || values.iter().flatten().copied();
    let (low, high) = (
        known().fold(f64::INFINITY, f64::min),
        known().fold(f64::NEG_INFINITY, f64::max),
    );
    let inset = 4.0;
    let x = |place: usize| inset + (canvas.width - 2.0 * inset) * index(place) / index(values.len() - 1);
    // A line, not bars: it shows movement between the lowest and the highest and needs no zero.
    let y = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        canvas.height - inset - (canvas.height - 2.0 * inset) * share
    };
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
        if points.len() > 1 {
            canvas.line(&points, 1.5, colour::CONTROL)?;
        }
    }
    match values.last() {
        Some(Some(value)) => canvas.dot(x(values.len() - 1), y(*value), 3.0, colour::ACCENT),
        _ => Ok(()),
    }
}
