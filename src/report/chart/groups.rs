//! Who rode: shares by gender as two full bars, rides by age band as bars. What is suppressed is hatched, never guessed.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    canvas::{Align, Canvas, Drawn, colour},
    index, whole,
};
use crate::{
    domain::report::{DailyReport, Group, HeadlineKey},
    report::font::{self, Weight},
    template::format,
};

/// Name of the age band of riders whose birth date is unknown.
pub const AGE_BAND_UNKNOWN: &str = "unknown";

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

fn gender_colour(group: &str) -> RGBColor {
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

fn gender_shares(report: &DailyReport) -> [Shares<'_>; 2] {
    let total = |key| report.headline(key).and_then(|headline| headline.value).unwrap_or(0.0);
    [
        shares("Rides", &report.by_gender, total(HeadlineKey::Rides), |group| {
            group.rides
        }),
        shares(
            "Time",
            &report.by_gender,
            total(HeadlineKey::DurationSeconds),
            |group| group.duration_seconds,
        ),
    ]
}

pub(super) fn describe_gender(report: &DailyReport) -> String {
    let [rides, time] = gender_shares(report);
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

pub(super) fn describe_ages(report: &DailyReport) -> String {
    let most = report
        .by_age_band
        .iter()
        .filter(|group| !group.is_suppressed)
        .max_by_key(|group| group.rides);
    match most.and_then(|group| Some((group, group.rides?))) {
        Some((group, rides)) => {
            let noun = if rides == 1 { "ride" } else { "rides" };
            format!(
                "Bar chart of rides by age band: most {}, {} {noun}.",
                group.name,
                format::count(whole(rides))
            )
        }
        None => "Too few riders to show ages.".to_owned(),
    }
}

pub(super) fn draw_gender<DB: DrawingBackend>(canvas: &Canvas<DB>, report: &DailyReport) -> Drawn<DB> {
    let rows = gender_shares(report);
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

pub(super) fn draw_ages<DB: DrawingBackend>(canvas: &Canvas<DB>, report: &DailyReport) -> Drawn<DB> {
    let groups = &report.by_age_band;
    if groups.is_empty() {
        return canvas.nothing("No ages are known");
    }
    let em = canvas.em;
    let names: Vec<&str> = groups
        .iter()
        .map(|group| {
            if group.name == AGE_BAND_UNKNOWN {
                "Unknown"
            } else {
                &group.name
            }
        })
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
    let left = widest(&mut names.iter().map(|name| canvas.text_width(name, Weight::Regular))) + 0.8 * em;
    let total = whole(report.rides());
    let label = |rides: i64| {
        format!(
            "{} · {}",
            format::count(whole(rides)),
            format::share_of(whole(rides), total)
        )
    };
    let label_width = widest(
        &mut groups
            .iter()
            .filter_map(|group| Some(canvas.text_width(&label(group.rides?), Weight::Regular))),
    );
    let width = canvas.width - left - label_width - em;
    let largest = groups
        .iter()
        .filter_map(|group| group.rides)
        .max()
        .map_or(1.0, whole)
        .max(1.0);
    let row = canvas.height / index(groups.len());
    let bar = (row * 0.66).min(1.7 * em);

    for (place, (group, name)) in groups.iter().zip(names).enumerate() {
        let middle = row * (index(place) + 0.5);
        canvas.text(left - 0.8 * em, middle, name, Align::End, Weight::Regular, colour::TEXT)?;
        if group.is_suppressed {
            canvas.hatched(left, middle - bar / 2.0, 2.4 * em, bar)?;
            let note = "not shown: few riders";
            canvas.text(
                left + 3.0 * em,
                middle,
                note,
                Align::Start,
                Weight::Regular,
                colour::MUTED,
            )?;
            continue;
        }
        let rides = group.rides.unwrap_or(0);
        let size = width * whole(rides) / largest;
        let fill = if group.name == AGE_BAND_UNKNOWN {
            colour::CONTROL
        } else {
            colour::ACCENT
        };
        if rides > 0 {
            canvas.rect(left, middle - bar / 2.0, size.max(1.0), bar, fill)?;
        }
        canvas.text(
            left + size + 0.6 * em,
            middle,
            &label(rides),
            Align::Start,
            Weight::Regular,
            colour::TEXT,
        )?;
    }
    canvas.line(&[(left, 0.0), (left, canvas.height)], 1.0, colour::CONTROL)
}
