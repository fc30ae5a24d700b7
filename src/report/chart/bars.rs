//! Bars from the left, a row each: rides by age, time in zones, rides by channel. What is suppressed is hatched.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    Charted,
    canvas::{Align, Canvas, Drawn, colour},
    gender::{gender_colour, gender_name},
    index, whole,
};
use crate::{
    domain::report::{Breakdowns, Group},
    report::font::{self, Weight},
    template::format,
};

/// Name of the group of which nothing is known.
pub(super) const UNKNOWN: &str = "unknown";

/// One row.
struct Row {
    name: String,
    /// What its bar is made of, from the left; none where it is not shown.
    parts: Option<Vec<(f64, Fill)>>,
    /// What stands behind the bar.
    label: String,
}

/// The bar of a row that is shown.
struct Bar<'a> {
    /// Which row it is.
    place: usize,
    label: &'a str,
    /// What there is something of.
    parts: Vec<(f64, Fill)>,
}

impl<'a> Bar<'a> {
    fn of((place, row): (usize, &'a Row)) -> Option<Self> {
        let parts = row.parts.as_ref()?.iter().filter(|(value, _)| *value > 0.0);
        Some(Bar {
            place,
            label: &row.label,
            parts: parts.copied().collect(),
        })
    }
}

#[derive(Clone, Copy)]
enum Fill {
    Colour(RGBColor),
    /// It cannot be said of whom it is.
    Hatched,
}

/// A zone's name for people.
#[must_use]
pub fn zone_name(zone: &str) -> &str {
    match zone {
        "z1" => "Z1 · below 60 %",
        "z2" => "Z2 · 60–70 %",
        "z3" => "Z3 · 70–80 %",
        "z4" => "Z4 · 80–90 %",
        "z5" => "Z5 · from 90 %",
        UNKNOWN => "Age not known",
        other => other,
    }
}

fn zone_colour(zone: &str) -> RGBColor {
    match zone {
        "z1" => colour::ZONE_1,
        "z2" => colour::ZONE_2,
        "z3" => colour::ZONE_3,
        "z4" => colour::ZONE_4,
        "z5" => colour::ZONE_5,
        _ => colour::CONTROL,
    }
}

/// A group's name with a capital, or that it is not known.
#[must_use]
pub fn group_name(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn counted(rides: i64, total: f64) -> String {
    let share = format::share_of(whole(rides), total);
    format!("{} · {share}", format::count(whole(rides)))
}

/// Rides by age band, each bar in the colours of its genders.
pub(super) fn draw_ages<DB: DrawingBackend>(canvas: &Canvas<DB>, of: &Charted<'_>) -> Drawn<DB> {
    let (total, breakdowns) = (whole(of.rides), of.breakdowns);
    let rows = breakdowns.by_age_band.iter().map(|band| {
        let genders = breakdowns.by_age_and_gender.iter().find(|ages| ages.name == band.name);
        let shown = genders.into_iter().flat_map(|ages| &ages.genders);
        let shown: Vec<(f64, Fill)> = shown
            .filter_map(|gender| Some((whole(gender.rides?), Fill::Colour(gender_colour(&gender.name)))))
            .filter(|(rides, _)| *rides > 0.0)
            .collect();
        let parts = band.rides.map(|rides| {
            let rest = whole(rides) - shown.iter().map(|(rides, _)| rides).sum::<f64>();
            let hidden = (rest > 0.0).then_some((rest, Fill::Hatched));
            shown.into_iter().chain(hidden).collect()
        });
        Row {
            name: group_name(&band.name),
            parts,
            label: band.rides.map(|rides| counted(rides, total)).unwrap_or_default(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let is_drawn = |gender: &&Group| {
        let bands = breakdowns.by_age_and_gender.iter().flat_map(|band| &band.genders);
        bands
            .filter(|cell| cell.name == gender.name)
            .any(|cell| cell.rides > Some(0))
    };
    let key = breakdowns.by_gender.iter().filter(is_drawn);
    let mut key: Vec<_> = key
        .map(|gender| (gender_name(&gender.name), Fill::Colour(gender_colour(&gender.name))))
        .collect();
    let parts = rows.iter().filter_map(|row| row.parts.as_ref()).flatten();
    if parts.into_iter().any(|(_, fill)| matches!(fill, Fill::Hatched)) {
        key.push(("Not shown", Fill::Hatched));
    }
    draw(canvas, &rows, &key, "No ages are known")
}

/// Time by heart-rate zone.
pub(super) fn draw_zones<DB: DrawingBackend>(canvas: &Canvas<DB>, breakdowns: &Breakdowns) -> Drawn<DB> {
    let seconds = |group: &Group| group.duration_seconds.map(whole);
    let total: f64 = breakdowns.heart_rate_zones.iter().filter_map(seconds).sum();
    let is_whole = breakdowns.heart_rate_zones.iter().all(|group| !group.is_suppressed);
    let rows = breakdowns.heart_rate_zones.iter().map(|group| Row {
        name: zone_name(&group.name).to_owned(),
        parts: seconds(group).map(|time| vec![(time, Fill::Colour(zone_colour(&group.name)))]),
        label: seconds(group).map_or_else(String::new, |time| {
            let share = if is_whole {
                format!(" · {}", format::share_of(time, total))
            } else {
                String::new()
            };
            format!("{}{share}", format::duration(time))
        }),
    });
    draw(canvas, &rows.collect::<Vec<_>>(), &[], "No heart rate was measured")
}

/// Rides by how the rider came to us.
pub(super) fn draw_channels<DB: DrawingBackend>(canvas: &Canvas<DB>, of: &Charted<'_>) -> Drawn<DB> {
    let total = whole(of.rides);
    let fill = |name: &str| {
        if name == UNKNOWN {
            colour::CONTROL
        } else {
            colour::ACCENT
        }
    };
    let rows = of.breakdowns.by_channel.iter().map(|group| Row {
        name: group_name(&group.name),
        parts: group
            .rides
            .map(|rides| vec![(whole(rides), Fill::Colour(fill(&group.name)))]),
        label: group.rides.map(|rides| counted(rides, total)).unwrap_or_default(),
    });
    draw(canvas, &rows.collect::<Vec<_>>(), &[], "No channels are known")
}

pub(super) fn describe_ages(breakdowns: &Breakdowns) -> String {
    match most(&breakdowns.by_age_band, |group| group.rides) {
        Some((group, rides)) => format!(
            "Bar chart of rides by age band and gender: most {}, {}.",
            group.name,
            rides_in_words(rides)
        ),
        None => "Too few riders to show ages.".to_owned(),
    }
}

pub(super) fn describe_channels(breakdowns: &Breakdowns) -> String {
    match most(&breakdowns.by_channel, |group| group.rides) {
        Some((group, rides)) => {
            format!(
                "Bar chart of rides by channel: most {}, {}.",
                group.name,
                rides_in_words(rides)
            )
        }
        None => "Too few riders to show channels.".to_owned(),
    }
}

pub(super) fn describe_zones(breakdowns: &Breakdowns) -> String {
    match most(&breakdowns.heart_rate_zones, |group| group.duration_seconds) {
        Some((group, seconds)) => format!(
            "Bar chart of the time in heart-rate zones: most in {}, {}.",
            zone_name(&group.name),
            format::duration(whole(seconds))
        ),
        None => "No heart rate was measured of enough riders.".to_owned(),
    }
}

fn rides_in_words(rides: i64) -> String {
    let noun = if rides == 1 { "ride" } else { "rides" };
    format!("{} {noun}", format::count(whole(rides)))
}

fn most(groups: &[Group], value: impl Fn(&Group) -> Option<i64>) -> Option<(&Group, i64)> {
    let shown = groups.iter().filter_map(|group| Some((group, value(group)?)));
    shown.max_by_key(|(_, value)| *value)
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, rows: &[Row], key: &[(&str, Fill)], nothing: &str) -> Drawn<DB> {
    if rows.is_empty() {
        return canvas.nothing(nothing);
    }
    let em = canvas.em;
    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        let widths = texts.map(|text| canvas.text_width(text, Weight::Regular));
        widths.fold(0.0, f64::max)
    };
    // A name from outside may be as long as it likes, but not as wide.
    let room = canvas.width * 0.36;
    let names: Vec<String> = rows
        .iter()
        .map(|row| font::fitted(&row.name, Weight::Regular, em, room))
        .collect();
    let left = widest(&mut names.iter().map(String::as_str)) + 0.8 * em;
    let width = canvas.width - left - widest(&mut rows.iter().map(|row| row.label.as_str())) - em;
    let size = |parts: &[(f64, Fill)]| parts.iter().map(|(value, _)| value).sum::<f64>();
    let sizes = rows.iter().filter_map(|row| row.parts.as_deref()).map(size);
    let largest = sizes.fold(1.0, f64::max);
    let key_width: f64 = key
        .iter()
        .map(|(name, _)| canvas.text_width(name, Weight::Regular) + 2.6 * em)
        .sum();
    let above = match key.is_empty() {
        true => 0.0,
        false if key_width - 1.2 * em <= canvas.width => 2.2 * em,
        false => 3.6 * em,
    };
    let height = (canvas.height - above) / index(rows.len());
    let bar = (height * 0.66).min(1.7 * em);

    let (mut at, mut line) = (0.0, 0.1 * em);
    let mut key_texts = Vec::new();
    for (name, fill) in key {
        let size = canvas.text_width(name, Weight::Regular) + 1.4 * em;
        if at + size > canvas.width {
            (at, line) = (0.0, line + 1.4 * em);
        }
        filled(canvas, (at, line, em, em), *fill)?;
        key_texts.push((at + 1.4 * em, line + 0.5 * em, name));
        at += size + 1.2 * em;
    }
    for (x, y, name) in key_texts {
        canvas.text(x, y, name, Align::Start, Weight::Regular, colour::TEXT)?;
    }
    // What has one style is drawn together: that is one element of the page.
    let middle = |place: usize| above + height * (index(place) + 0.5);
    let top = |place: usize| middle(place) - bar / 2.0;
    for (place, name) in names.iter().enumerate() {
        let at = left - 0.8 * em;
        canvas.text(at, middle(place), name, Align::End, Weight::Regular, colour::TEXT)?;
    }
    let bars: Vec<Bar<'_>> = rows.iter().enumerate().filter_map(Bar::of).collect();
    let end = |parts: &[(f64, Fill)]| left + width * size(parts) / largest;
    let most_parts = bars.iter().map(|bar| bar.parts.len()).max().unwrap_or(0);
    for part in 0..most_parts {
        for Bar { place, parts, .. } in bars.iter().filter(|bar| bar.parts.len() > part) {
            let (from, to) = (end(&parts[..part]), end(&parts[..=part]));
            let gap = if parts.len() > 1 { 1.0 } else { 0.0 };
            filled(
                canvas,
                (from, top(*place), (to - from - gap).max(1.0), bar),
                parts[part].1,
            )?;
        }
    }
    for Bar { place, label, parts } in &bars {
        let at = end(parts) + 0.6 * em;
        canvas.text(at, middle(*place), label, Align::Start, Weight::Regular, colour::TEXT)?;
    }
    let hidden = || {
        rows.iter()
            .enumerate()
            .filter(|(_, row)| row.parts.is_none())
            .map(|(place, _)| place)
    };
    for place in hidden() {
        canvas.hatched(left, top(place), 2.4 * em, bar)?;
    }
    for place in hidden() {
        let (at, note) = (left + 3.0 * em, "not shown: few riders");
        canvas.text(at, middle(place), note, Align::Start, Weight::Regular, colour::MUTED)?;
    }
    canvas.line(&[(left, above), (left, canvas.height)], 1.0, colour::CONTROL)
}

fn filled<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    (x, y, width, height): (f64, f64, f64, f64),
    fill: Fill,
) -> Drawn<DB> {
    match fill {
        Fill::Colour(colour) => canvas.rect(x, y, width, height, colour),
        Fill::Hatched => canvas.hatched(x, y, width, height),
    }
}
