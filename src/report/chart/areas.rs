//! Where riders live: a map of the UK's postcode areas as tiles of one size, darker with more rides. Areas of fewer than
//! five riders are outlined, as those of none are: which of the two it is would say something of a person.

use std::{collections::BTreeMap, sync::LazyLock};

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::Charted;
use super::{
    bars::UNKNOWN,
    canvas::{Align, Canvas, CountAxis, Drawn, colour},
    index, whole,
};
use crate::{
    domain::{report::Breakdowns, window::Period},
    report::font::Weight,
    template::format,
};

/// The areas with their names and their places on the map: column and row from the top left.
static AREAS: LazyLock<BTreeMap<&str, (&str, f64, f64)>> = LazyLock::new(|| {
    let lines = include_str!("../../../assets/uk_postcode_areas.csv").lines().skip(1);
    let area = |line: &'static str| {
        let mut fields = line.rsplitn(3, ',');
        let row = fields.next()?.trim().parse().ok()?;
        let column = fields.next()?.parse().ok()?;
        let (area, name) = fields.next()?.split_once(',')?;
        Some((area, (name.trim_matches('"'), column, row)))
    };
    lines.filter_map(area).collect()
});

/// Tints from few rides to many.
const TINTS: [RGBColor; 5] = [
    colour::TINT_1,
    colour::TINT_2,
    colour::TINT_3,
    colour::TINT_4,
    colour::ACCENT,
];

/// An area's name for people.
#[must_use]
pub fn area_name(area: &str) -> String {
    match AREAS.get(area) {
        Some((name, ..)) => format!("{area} · {name}"),
        None if area == UNKNOWN => "No postcode".to_owned(),
        None => format!("{area} · not in the UK’s list"),
    }
}

/// Rides by area, of those that are on the map.
fn on_the_map(breakdowns: &Breakdowns) -> impl Iterator<Item = (&str, i64)> {
    let shown = breakdowns
        .by_postcode_area
        .iter()
        .filter_map(|group| Some((group.name.as_str(), group.rides?)));
    shown.filter(|(area, _)| AREAS.contains_key(area))
}

pub(super) fn describe(of: &Charted<'_>) -> String {
    let every_day = if of.period == Period::Day { "" } else { " every day" };
    let count = on_the_map(of.breakdowns).count();
    match on_the_map(of.breakdowns).max_by_key(|(_, rides)| *rides) {
        Some((area, rides)) => format!(
            "Map of the UK’s postcode areas: {count} with five riders and more{every_day}; most rides {}, {}.",
            area_name(area),
            format::count(whole(rides))
        ),
        None => format!("No postcode area had five riders{every_day}."),
    }
}

pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, breakdowns: &Breakdowns) -> Drawn<DB> {
    let em = canvas.em;
    let rides: BTreeMap<&str, i64> = on_the_map(breakdowns).collect();
    let end = |place: fn(&(&str, f64, f64)) -> f64| AREAS.values().map(place).fold(0.0, f64::max) + 1.0;
    let (columns, rows) = (end(|area| area.1), end(|area| area.2));
    let foot = 2.6 * em;
    let side = (canvas.width / columns).min((canvas.height - foot) / rows);
    let left = (canvas.width - side * columns) / 2.0;
    // Round classes, so that the key can be read.
    let most = whole(rides.values().copied().max().unwrap_or(0));
    let step = (CountAxis::holding(most).top / index(TINTS.len())).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few classes, never negative"
    )]
    let class = |rides: i64| (((whole(rides) - 1.0) / step).floor().max(0.0) as usize).min(TINTS.len() - 1);
    // What has one style is drawn together: that is one element of the page.
    let at = |&(_, column, row): &(&str, f64, f64)| (left + side * column, side * row);
    let class_of = |area: &str| rides.get(area).map(|&rides| class(rides));
    let places = || AREAS.iter().map(|(area, place)| (*area, at(place)));
    for (_, (x, y)) in places().filter(|(area, _)| class_of(area).is_none()) {
        let (x, y, right, bottom) = (x + 1.0, y + 1.0, x + side - 1.0, y + side - 1.0);
        let corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
        canvas.line(&corners, 0.5, colour::RULE)?;
    }
    for (place, tint) in TINTS.into_iter().enumerate() {
        for (_, (x, y)) in places().filter(|(area, _)| class_of(area) == Some(place)) {
            canvas.rect(x + 0.5, y + 0.5, side - 1.0, side - 1.0, tint)?;
        }
    }
    // In print the tiles are too small for letters of the size of the axes.
    let look = |class: Option<usize>| match class {
        None => (colour::MUTED, Weight::Regular),
        Some(0..=2) => (colour::TEXT, Weight::SemiBold),
        Some(_) => (colour::SURFACE, Weight::SemiBold),
    };
    let looks = [None, Some(0), Some(TINTS.len() - 1)].map(look);
    for (ink, weight) in looks.into_iter().filter(|_| side > 1.5 * em) {
        for (area, (x, y)) in places().filter(|(area, _)| look(class_of(area)) == (ink, weight)) {
            canvas.text(x + side / 2.0, y + side / 2.0, area, Align::Middle, weight, ink)?;
        }
    }
    if rides.is_empty() {
        let (middle, y) = (canvas.width / 2.0, canvas.height - em);
        return canvas.text(
            middle,
            y,
            "No area had five riders",
            Align::Middle,
            Weight::Regular,
            colour::MUTED,
        );
    }
    // The key: from the least rides of the lightest tint to the most of the darkest.
    let y = canvas.height - em;
    let bounds = |place: usize| {
        let (from, to) = (step * index(place) + 1.0, step * (index(place) + 1.0));
        if from < to {
            format!("{}–{}", format::count(from), format::count(to))
        } else {
            format::count(from)
        }
    };
    let last = class(rides.values().copied().max().unwrap_or(0));
    let noun = if bounds(0) == "1" { "ride" } else { "rides" };
    let first = format!("{} {noun}", bounds(0));
    canvas.text(left, y, &first, Align::Start, Weight::Regular, colour::TEXT)?;
    let mut at = left + canvas.text_width(&first, Weight::Regular) + 0.6 * em;
    for tint in &TINTS[..=last] {
        canvas.rect(at, y - em / 2.0, 1.4 * em, em, *tint)?;
        at += 1.4 * em;
    }
    if last > 0 {
        canvas.text(
            at + 0.6 * em,
            y,
            &bounds(last),
            Align::Start,
            Weight::Regular,
            colour::TEXT,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_has_a_place_of_its_own() {
        assert_eq!(AREAS.len(), 124);
        let mut places: Vec<_> = AREAS.values().map(|area| format!("{} {}", area.1, area.2)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 124);
        assert_eq!(area_name("LS"), "LS · Leeds");
        assert_eq!(area_name(UNKNOWN), "No postcode");
    }
}
