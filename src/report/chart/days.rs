//! Rides per day: a line over some days, the usual band behind it where there is one, the last day as a labelled dot.

use plotters::prelude::DrawingBackend;

use super::{
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index, whole,
};
use crate::{
    domain::report::DayCount,
    report::font::Weight,
    template::{format, words::Usual},
};

pub(super) fn describe(days: &[DayCount], usual: Option<Usual>) -> String {
    let known: Vec<(String, i64)> = days
        .iter()
        .filter_map(|d| Some((format::date_short(d.day), d.rides?)))
        .collect();
    let (Some((last_day, last)), Some(most), Some(least)) = (
        known.last(),
        known.iter().max_by_key(|(_, rides)| *rides),
        known.iter().min_by_key(|(_, rides)| *rides),
    ) else {
        return "No day has data yet.".to_owned();
    };
    let count = |rides: i64| format::count(whole(rides));
    let mut text = format!("Line chart of rides a day: {} on {last_day}", count(*last));
    if known.len() > 1 {
        text += &format!(
            "; most {} on {}, fewest {} on {}",
            count(most.1),
            most.0,
            count(least.1),
            least.0
        );
    }
    if let Some(usual) = usual {
        text += &format!("; usual {} to {}", format::count(usual.low), format::count(usual.high));
    }
    let missing = days.len() - known.len();
    if missing > 0 {
        text += &format!("; {missing} without data");
    }
    text + "."
}

pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, days: &[DayCount], usual: Option<Usual>) -> Drawn<DB> {
    let Some(largest) = days.iter().filter_map(|day| day.rides).max() else {
        return canvas.nothing("No day has data yet");
    };
    let axis = CountAxis::holding(whole(largest).max(usual.map_or(0.0, |usual| usual.high)));

    let em = canvas.em;
    let last_label = days
        .last()
        .and_then(|day| day.rides)
        .map(|rides| format::count(whole(rides)));
    let end_width = last_label
        .as_ref()
        .map_or(0.0, |label| canvas.text_width(label, Weight::SemiBold));
    let left = canvas.text_width(&format::count(axis.top), Weight::Regular) + 0.7 * em;
    let right = canvas.width - (end_width + em).max(1.6 * em);
    let (top, bottom) = (2.2 * em, canvas.height - 2.0 * em);
    let y = |value: f64| bottom - (bottom - top) * value / axis.top;
    let x = |place: usize| {
        if days.len() < 2 {
            right
        } else {
            left + (right - left) * index(place) / index(days.len() - 1)
        }
    };

    if let Some(usual) = usual {
        canvas.rect(
            left,
            y(usual.high),
            right - left,
            (y(usual.low) - y(usual.high)).max(1.0),
            colour::USUAL,
        )?;
        // The key stands above the plot: the line may be anywhere in it.
        let label = "usual range";
        let at = right - canvas.text_width(label, Weight::Regular) - 1.6 * em;
        canvas.rect(at, 0.5 * em, 1.2 * em, 0.8 * em, colour::USUAL)?;
        canvas.text(right, 0.9 * em, label, Align::End, Weight::Regular, colour::MUTED)?;
    }
    canvas.grid(axis, (left, right), y)?;
    if let Some(usual) = usual {
        for edge in [usual.low, usual.high] {
            canvas.line(&[(left, y(edge)), (right, y(edge))], 0.75, colour::CONTROL)?;
        }
    }
    // Weeks back from the last day, so that every label is the same weekday; of a single week as many days as have room.
    let steps = if days.len() > 7 {
        [7, 14, 28].as_slice()
    } else {
        &[1, 2, 3, 4, 5, 6, 7]
    };
    let label_width = canvas.text_width("00 Mmm", Weight::Regular) + 0.6 * em;
    let has_room = |step: &&usize| (right - left) * index(**step) / index(days.len().max(2) - 1) >= label_width;
    let step = steps.iter().find(has_room).copied().unwrap_or(7);
    let labelled = || (0..days.len()).rev().step_by(step);
    for place in labelled() {
        let tick = [(x(place), bottom), (x(place), bottom + 0.35 * em)];
        canvas.line(&tick, 1.0, colour::CONTROL)?;
    }
    for place in labelled() {
        let (y, label) = (bottom + 1.15 * em, format::date_short(days[place].day));
        canvas.text(x(place), y, &label, Align::Middle, Weight::Regular, colour::MUTED)?;
    }

    // A day without data breaks the line: it is not a day without rides.
    for run in days
        .iter()
        .enumerate()
        .collect::<Vec<_>>()
        .split(|(_, day)| day.rides.is_none())
    {
        let points: Vec<(f64, f64)> = run
            .iter()
            .filter_map(|(place, day)| Some((x(*place), y(whole(day.rides?)))))
            .collect();
        match points.as_slice() {
            [] => {}
            [(x, y)] => canvas.dot(*x, *y, 2.5, colour::ACCENT)?,
            points => canvas.line(points, 2.0, colour::ACCENT)?,
        }
    }
    if let (Some(label), Some(rides)) = (last_label, days.last().and_then(|day| day.rides)) {
        let (x, y) = (x(days.len() - 1), y(whole(rides)));
        canvas.dot(x, y, 6.0, colour::SURFACE)?;
        canvas.dot(x, y, 4.0, colour::ACCENT)?;
        canvas.text(x + 0.8 * em, y, &label, Align::Start, Weight::SemiBold, colour::TEXT)?;
    }
    Ok(())
}
