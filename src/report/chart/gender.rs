//! Who rode: shares by gender as two full bars. What is suppressed is hatched, never guessed.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    Charted,
    canvas::{Align, Canvas, Drawn, colour},
    index, whole,
};
use crate::{
    domain::report::Group,
    report::font::{self, Weight},
    template::format,
};

/// A gender group's name for people.
#[must_use]
pub fn gender_name(group: &str) -> &str {
    match group {
        "female" => "Women",
        "male" => "Men",
        "other" => "Another gender",
        "unknown" => "Not stated",
        other => other,
    }
}

pub(super) fn gender_colour(group: &str) -> RGBColor {
    match group {
        "female" => colour::PURPLE,
        "male" => colour::TEAL,
        "other" => colour::OCHRE,
        _ => colour::CONTROL,
    }
}

/// A measure's share by group; what is suppressed is the rest.
struct Shares<'a> {
    label: &'static str,
    parts: Vec<(&'a Group, f64)>,
    suppressed: f64,
}

fn shares<'a>(
    label: &'static str,
    groups: &'a [Group],
    total: f64,
    value: impl Fn(&Group) -> Option<i64>,
) -> Shares<'a> {
    let parts: Vec<(&Group, f64)> = groups
        .iter()
        .filter_map(|group| Some((group, whole(value(group)?))))
        .filter(|(group, value)| !group.is_suppressed && *value > 0.0)
        .map(|(group, value)| (group, if total > 0.0 { value / total } else { 0.0 }))
        .collect();
    let shown: f64 = parts.iter().map(|(_, share)| share).sum();
    let has_suppressed = groups.iter().any(|group| group.is_suppressed);
    Shares {
        label,
        parts,
        suppressed: if has_suppressed {
            (1.0 - shown).clamp(0.0, 1.0)
        } else {
            0.0
        },
    }
}

fn gender_shares<'a>(of: &Charted<'a>) -> [Shares<'a>; 2] {
    let groups = &of.breakdowns.by_gender;
    [
        shares("Rides", groups, whole(of.rides), |group| group.rides),
        shares("Time", groups, of.duration_seconds, |group| group.duration_seconds),
    ]
}

pub(super) fn describe_gender(of: &Charted<'_>) -> String {
    let [rides, time] = gender_shares(of);
    let list = |shares: &Shares<'_>| {
        let mut parts: Vec<String> = shares
            .parts
            .iter()
            .map(|(group, share)| format!("{} {}", gender_name(&group.name).to_lowercase(), format::share(*share)))
            .collect();
        if shares.suppressed > 0.0 {
            parts.push(format!("not shown {}", format::share(shares.suppressed)));
        }
        parts.join(", ")
    };
    format!("Two bars of shares. Rides: {}. Time: {}.", list(&rides), list(&time))
}

pub(super) fn draw_gender<DB: DrawingBackend>(canvas: &Canvas<DB>, of: &Charted<'_>) -> Drawn<DB> {
    let rows = gender_shares(of);
    let em = canvas.em;
    let left = canvas.text_width("Rides", Weight::SemiBold) + em;
    let width = canvas.width - left;
    let row_height = canvas.height / index(rows.len());
    let bar = (row_height - 5.0 * em).min(3.4 * em);

    for (place, row) in rows.iter().enumerate() {
        let top = row_height * index(place) + 1.9 * em;
        canvas.text(
            0.0,
            top + bar / 2.0,
            row.label,
            Align::Start,
            Weight::SemiBold,
            colour::TEXT,
        )?;
        let mut from = left;
        let mut small: Vec<String> = Vec::new();
        for (group, share) in &row.parts {
            let size = width * share;
            canvas.rect(from, top, (size - 1.0).max(0.5), bar, gender_colour(&group.name))?;
            let label = format!("{} {}", gender_name(&group.name), format::share(*share));
            // Directly above its part, in text colour: the parts are too dark or too light for text on them.
            if canvas.text_width(&label, Weight::Regular) + 0.6 * em < size {
                canvas.text(
                    from,
                    top - 0.9 * em,
                    &label,
                    Align::Start,
                    Weight::Regular,
                    colour::TEXT,
                )?;
            } else {
                small.push(label);
            }
            from += size;
        }
        if row.suppressed > 0.0 {
            let size = width * row.suppressed;
            canvas.hatched(from, top, (size - 1.0).max(1.0), bar)?;
            let label = format!("Not shown {}", format::share(row.suppressed));
            if canvas.text_width(&label, Weight::Regular) < size {
                canvas.text(
                    from,
                    top - 0.9 * em,
                    &label,
                    Align::Start,
                    Weight::Regular,
                    colour::MUTED,
                )?;
            } else {
                small.push(label);
            }
        }
        // What is too thin for a label of its own stands below, where the thin parts are: at the right.
        let note = font::fitted(&small.join(" · "), Weight::Regular, em, canvas.width);
        canvas.text(
            canvas.width,
            top + bar + 1.1 * em,
            &note,
            Align::End,
            Weight::Regular,
            colour::MUTED,
        )?;
    }
    Ok(())
}
