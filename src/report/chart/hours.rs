//! Rides per hour of the day: a column an hour, a tick where the hour usually is.

use chrono_tz::Tz;
use plotters::prelude::DrawingBackend;

use super::{
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index, whole,
};
use crate::{
    domain::report::{DailyReport, HourCount},
    report::font::Weight,
    template::format,
};

/// An hour as people write it: `18:00`, or `16:45` where days end at a quarter to.
fn name(hour: &HourCount, report: &DailyReport) -> String {
    match report.timezone.parse::<Tz>() {
        Ok(zone) => format::clock(hour.starts_at, zone),
        Err(_) => format!("{:02}:00", hour.hour),
    }
}

fn busiest(report: &DailyReport) -> Option<(usize, &HourCount)> {
    // The earliest of equals.
    report
        .rides_per_hour
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, hour)| hour.rides)
        .filter(|(_, hour)| hour.rides > 0)
}

pub(super) fn describe(report: &DailyReport) -> String {
    let Some((_, most)) = busiest(report) else {
        return "No rides began on this day.".to_owned();
    };
    let usual = most.usual.map_or(String::new(), |usual| {
        format!(", usually {}", format::decimal(usual, 0))
    });
    format!(
        "Column chart of rides by the hour they began in: most at {}, {}{usual}.",
        name(most, report),
        format::count(whole(most.rides)),
    )
}

pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, report: &DailyReport) -> Drawn<DB> {
    let hours = &report.rides_per_hour;
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
    for tick in axis.ticks() {
        let line = if tick == 0.0 { colour::CONTROL } else { colour::RULE };
        canvas.line(&[(left, y(tick)), (right, y(tick))], 1.0, line)?;
        canvas.text(
            left - 0.6 * em,
            y(tick),
            &format::count(tick),
            Align::End,
            Weight::Regular,
            colour::MUTED,
        )?;
    }
    // Labels every three hours of the clock, every six where three would touch; the hour that occurs twice in autumn is
    // labelled once.
    let apart = if step * 3.0 > 3.6 * em { 3 } else { 6 };
    let peak = busiest(report).map(|(place, _)| place);
    for (place, hour) in hours.iter().enumerate() {
        let from = left + step * index(place);
        if hour.rides > 0 {
            canvas.rect(
                from + gap / 2.0,
                y(whole(hour.rides)),
                step - gap,
                bottom - y(whole(hour.rides)),
                colour::ACCENT,
            )?;
        }
        if let Some(usual) = hour.usual {
            // On a line of the background's colour, so that it stands out from the column too.
            let ends = [(from + gap / 4.0, y(usual)), (from + step - gap / 4.0, y(usual))];
            canvas.line(&ends, 4.0, colour::SURFACE)?;
            canvas.line(&ends, 2.0, colour::TEXT)?;
        }
        let is_repeat = place > 0 && hours[place - 1].hour == hour.hour;
        if hour.hour % apart == 0 && !is_repeat {
            canvas.line(&[(from, bottom), (from, bottom + 0.35 * em)], 1.0, colour::CONTROL)?;
            let align = if place == 0 { Align::Start } else { Align::Middle };
            let at = if place == 0 { from - 0.4 * em } else { from };
            canvas.text(
                at,
                bottom + 1.15 * em,
                &name(hour, report),
                align,
                Weight::Regular,
                colour::MUTED,
            )?;
        }
        if peak == Some(place) {
            let above = y(whole(hour.rides).max(hour.usual.unwrap_or(0.0))) - 0.8 * em;
            let label = format::count(whole(hour.rides));
            // A grid line may run there.
            let width = canvas.text_width(&label, Weight::SemiBold) + 0.4 * em;
            let left = from + (step - width) / 2.0;
            canvas.rect(left, above - 0.6 * em, width, 1.2 * em, colour::SURFACE)?;
            canvas.text(
                from + step / 2.0,
                above,
                &label,
                Align::Middle,
                Weight::SemiBold,
                colour::TEXT,
            )?;
        }
    }
    Ok(())
}
