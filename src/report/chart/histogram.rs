//! Rides by a measure in bins of equal width, with the median.

use plotters::prelude::DrawingBackend;

use super::{
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    whole,
};
use crate::{
    domain::report::{Bin, Histogram},
    report::font::Weight,
    template::format,
};

/// Fewer bins than this would be drawn as slabs.
const MIN_BINS: f64 = 8.0;
/// A far end of more bins than this is cut off where hardly a ride is in it.
const TAIL_BINS: usize = 5;
/// One ride in so many is hardly one.
const TAIL_SHARE: i64 = 50;

pub(super) fn describe(histogram: &Histogram, unit: &str) -> String {
    let (Some(first), Some(last)) = (histogram.bins.first(), histogram.bins.last()) else {
        return "No ride has this value.".to_owned();
    };
    let with_unit = |value: f64| format::with_unit(&format::count(value), unit);
    let middle = match (histogram.median, histogram.bins.iter().max_by_key(|bin| bin.rides)) {
        (None, Some(most)) => format!(
            "most at {}–{}",
            format::count(most.from),
            with_unit(most.from + histogram.bin_width)
        ),
        (median, _) => format!("median {}", with_unit(median.unwrap_or(first.from))),
    };
    format!(
        "Histogram of rides: {middle}, from {} to {}.",
        format::count(first.from),
        with_unit(last.from + histogram.bin_width),
    )
}

/// The bins without a long, thin upper end, and how many rides are in that: a ride or two far off would squeeze all the
/// others into a corner. The table beside the chart has them.
fn without_tail(bins: &[Bin]) -> (&[Bin], i64) {
    let total: i64 = bins.iter().map(|bin| bin.rides).sum();
    let (mut end, mut beyond) = (bins.len(), 0);
    while end > 0 && (beyond + bins[end - 1].rides) * TAIL_SHARE < total {
        end -= 1;
        beyond += bins[end].rides;
    }
    if bins.len() - end > TAIL_BINS {
        (&bins[..end], beyond)
    } else {
        (bins, 0)
    }
}

pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    histogram: &Histogram,
    bin_width: f64,
    unit: &str,
) -> Drawn<DB> {
    let (bins, beyond) = without_tail(&histogram.bins);
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
        return canvas.nothing("No ride has this value");
    };
    let width = if histogram.bin_width > 0.0 {
        histogram.bin_width
    } else {
        bin_width
    };
    let missing = (MIN_BINS - (last.from - first.from) / width - 1.0).max(0.0);
    let low = (first.from - (missing / 2.0).ceil() * width).max(0.0);
    let high = (last.from + width).max(low + MIN_BINS * width);
    let largest = bins.iter().map(|bin| bin.rides).max().unwrap_or(0);
    let axis = CountAxis::holding(whole(largest));

    let em = canvas.em;
    let left = canvas.text_width(&format::count(axis.top), Weight::Regular) + 0.7 * em;
    let right = canvas.width - 1.5 * em;
    let x = |value: f64| left + (right - left) * (value - low) / (high - low);

    // Above the plot: the median at its place, and what lies beyond the plot at the other side; in a row of its own where
    // there is not room for both.
    let note = (beyond > 0).then(|| {
        let noun = if beyond == 1 { "ride" } else { "rides" };
        let edge = format::with_unit(&format::count(last.from + width), unit);
        format!("{} {noun} above {edge}", format::count(whole(beyond)))
    });
    let median = histogram.median.map(|median| {
        let at = x(median.clamp(low, high));
        let label = format!("median {}", format::with_unit(&format::count(median), unit));
        let half = canvas.text_width(&label, Weight::SemiBold) / 2.0;
        (at, at.clamp(left + half, (canvas.width - half).max(left + half)), label)
    });
    let median_is_right = median.as_ref().is_some_and(|(at, ..)| *at > (left + right) / 2.0);
    let is_crowded = note
        .as_ref()
        .zip(median.as_ref())
        .is_some_and(|(note, (_, centre, label))| {
            let (note, half) = (
                canvas.text_width(note, Weight::Regular) + em,
                canvas.text_width(label, Weight::SemiBold) / 2.0,
            );
            if median_is_right {
                centre - half < left + note
            } else {
                centre + half > right - note
            }
        });
    let median_row = if is_crowded { 2.2 * em } else { 0.9 * em };
    let (top, bottom) = (median_row + 1.3 * em, canvas.height - 2.0 * em);
    let y = |value: f64| bottom - (bottom - top) * value / axis.top;

    canvas.grid(axis, (left, right), y)?;
    for bin in bins.iter().filter(|bin| bin.rides > 0) {
        let (from, to) = (x(bin.from), x(bin.from + width));
        let height = bottom - y(whole(bin.rides));
        canvas.rect(
            from + 0.5,
            bottom - height,
            (to - from - 1.0).max(1.0),
            height,
            colour::ACCENT,
        )?;
    }
    if let Some(note) = &note {
        let (place, align) = if median_is_right {
            (left, Align::Start)
        } else {
            (right, Align::End)
        };
        canvas.text(place, 0.9 * em, note, align, Weight::Regular, colour::MUTED)?;
    }
    let widest = canvas.text_width(&format::with_unit(&format::count(high), unit), Weight::Regular);
    let mut apart = width;
    for factor in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
        apart = width * factor;
        if (right - left) * apart / (high - low) > widest + 1.2 * em {
            break;
        }
    }
    let first_edge = (low / apart).ceil() * apart;
    let edges =
        || std::iter::successors(Some(first_edge), |edge| Some(edge + apart)).take_while(|edge| *edge <= high + 1e-9);
    for edge in edges() {
        let tick = [(x(edge), bottom), (x(edge), bottom + 0.35 * em)];
        canvas.line(&tick, 1.0, colour::CONTROL)?;
    }
    for edge in edges() {
        let label = format::count(edge);
        let is_last = edge + apart > high + 1e-9;
        let label = if is_last {
            format::with_unit(&label, unit)
        } else {
            label
        };
        // The unit makes the last one wide: it stays on the sheet.
        let room = canvas.width - canvas.text_width(&label, Weight::Regular) / 2.0;
        let (at, under) = (x(edge).min(room), bottom + 1.15 * em);
        canvas.text(at, under, &label, Align::Middle, Weight::Regular, colour::MUTED)?;
    }
    if let Some((at, centre, label)) = median {
        canvas.line(&[(at, median_row + 0.8 * em), (at, bottom)], 2.0, colour::TEXT)?;
        canvas.text(
            centre,
            median_row,
            &label,
            Align::Middle,
            Weight::SemiBold,
            colour::TEXT,
        )?;
    }
    Ok(())
}
