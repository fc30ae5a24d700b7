//! Rides per hour of the day: a column an hour, a tick where the hour usually is.

use chrono_tz::Tz;
use plotters::prelude::DrawingBackend;

use super::{
    Charted,
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index, whole,
};
use crate::{domain::report::HourCount, report::font::Weight, template::format};

/// An hour as people write it: `18:00`, or `16:45` where days end at a quarter to.
fn name(hour: &HourCount, timezone: &str) -> String {
    match timezone.parse::<Tz>() {
        Ok(zone) => format::clock(hour.starts_at, zone),
        Err(_) => format!("{:02}:00", hour.hour),
    }
}

fn busiest(hours: &[HourCount]) -> Option<(usize, &HourCount)> {
    // The earliest of equals.
    hours
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, hour)| hour.rides)
        .filter(|(_, hour)| hour.rides > 0)
}

pub(super) fn describe(of: &Charted<'_>) -> String {
    let Some((_, most)) = busiest(of.hours) else {
        return "No rides began on this day.".to_owned();
    };
    let usual = most.usual.map_or(String::new(), |usual| {
        format!(", usually {}", format::decimal(usual, 0))
    });
    format!(
        "Column chart of rides by the hour they began in: most at {}, {}{usual}.",
        name(most, of.timezone),
        format::count(whole(most.rides)),
    )
}

pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, of: &Charted<'_>) -> Drawn<DB> {
    let hours = of.hours;
    let has_usual = hours.iter().any(|hour| hour.usual.is_some());
    let largest = hours
        .iter()
        .map(|hour| whole(hour.rides).max(hour.usual.unwrap_or(0.0)))
        .fold(0.0, f64::max);
    let axis = CountAxis::holding(largest);

    let em = canvas.em;
    let left = canvas.text_width(&format::count(axis.top), Weight::Regular) + 0.7 * em;
    let right = canvas.width - 0.5 * em;
    let (top, bottom) = (2.6 * em, canvas.height - 2.0 * em);
    let y = |value: f64| bottom - (bottom - top) * value / axis.top;
    let step = (right - left) / index(hours.len().max(1));
    let gap = (step * 0.22).min(0.4 * em);

    if has_usual {
        let label = "usual";
        let at = right - canvas.text_width(label, Weight::Regular) - 1.6 * em;
        canvas.line(&[(at, 0.9 * em), (at + 1.2 * em, 0.9 * em)], 2.0, colour::TEXT)?;
        canvas.text(right, 0.9 * em, label, Align::End, Weight::Regular, colour::MUTED)?;
    }
    canvas.grid(axis, (left, right), y)?;
    // Labels every three hours of the clock, or as few as do not touch; the hour that occurs twice in autumn is labelled
    // once.
    let is_apart = |hours: &u32| step * f64::from(*hours) > 3.6 * em;
    let apart = [3, 6, 12].into_iter().find(is_apart).unwrap_or(24);
    let from = |place: usize| left + step * index(place);
    // What has one style is drawn together: that is one element of the page.
    for (place, hour) in hours.iter().enumerate().filter(|(_, hour)| hour.rides > 0) {
        let high = y(whole(hour.rides));
        let x = from(place) + gap / 2.0;
        canvas.rect(x, high, step - gap, bottom - high, colour::ACCENT)?;
    }
    // On a line of the background's colour, so that it stands out from the column too.
    for (width, ink) in [(4.0, colour::SURFACE), (2.0, colour::TEXT)] {
        for (place, hour) in hours.iter().enumerate() {
            if let Some(usual) = hour.usual {
                let (start, end) = (from(place) + gap / 4.0, from(place) + step - gap / 4.0);
                canvas.line(&[(start, y(usual)), (end, y(usual))], width, ink)?;
            }
        }
    }
    let is_labelled = |place: usize| {
        let is_repeat = place > 0 && hours[place - 1].hour == hours[place].hour;
        hours[place].hour.is_multiple_of(apart) && !is_repeat
    };
    for place in (0..hours.len()).filter(|&place| is_labelled(place)) {
        let tick = [(from(place), bottom), (from(place), bottom + 0.35 * em)];
        canvas.line(&tick, 1.0, colour::CONTROL)?;
    }
    for place in (0..hours.len()).filter(|&place| is_labelled(place)) {
        let (at, align) = match place {
            0 => (from(0) - 0.4 * em, Align::Start),
            _ => (from(place), Align::Middle),
        };
        let label = name(&hours[place], of.timezone);
        canvas.text(at, bottom + 1.15 * em, &label, align, Weight::Regular, colour::MUTED)?;
    }
    if let Some((place, hour)) = busiest(of.hours) {
        let above = y(whole(hour.rides).max(hour.usual.unwrap_or(0.0))) - 0.8 * em;
        let label = format::count(whole(hour.rides));
        // A grid line may run there.
        let width = canvas.text_width(&label, Weight::SemiBold) + 0.4 * em;
        let middle = from(place) + step / 2.0;
        canvas.rect(middle - width / 2.0, above - 0.6 * em, width, 1.2 * em, colour::SURFACE)?;
        canvas.text(middle, above, &label, Align::Middle, Weight::SemiBold, colour::TEXT)?;
    }
    Ok(())
}
