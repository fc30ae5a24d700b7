//! The report's tables: one definition for the page, the PDF and the CSV files.

use serde::Serialize;

use super::chart::{area_name, gender_name, group_name, whole, zone_name};
use crate::{
    domain::{
        period_report::PeriodReport,
        report::{Breakdowns, DailyReport, DayCount, Group, Headline, HeadlineKey, Histogram},
    },
    template::{format, words},
};

/// A table of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Its file name without the ending, e.g. `rides-per-day`.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, as many cells as columns in each.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Column {
    /// Its heading for people.
    pub label: &'static str,
    /// Its heading in the CSV file, with the unit.
    pub key: &'static str,
    /// Its cells are numbers: aligned to the right.
    pub is_number: bool,
}

/// A cell: as people read it and as a program does.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// For people.
    pub shown: String,
    /// For programs: unrounded, no unit, empty where there is nothing.
    pub raw: String,
    /// Whether it is text that may have come from outside, rather than a number or a date.
    pub is_text: bool,
}

impl Cell {
    pub(super) fn text(shown: &str, raw: &str) -> Cell {
        Cell {
            shown: shown.to_owned(),
            raw: raw.to_owned(),
            is_text: true,
        }
    }

    pub(super) fn number(value: Option<f64>, show: impl Fn(f64) -> String) -> Cell {
        match value {
            Some(value) => Cell {
                shown: show(value),
                raw: value.to_string(),
                is_text: false,
            },
            None => Cell {
                shown: format::NOTHING.to_owned(),
                raw: String::new(),
                is_text: false,
            },
        }
    }

    pub(super) fn count(value: Option<i64>) -> Cell {
        Cell::number(value.map(whole), format::count)
    }

    fn suppressed() -> Cell {
        Cell {
            shown: "not shown".to_owned(),
            raw: String::new(),
            is_text: false,
        }
    }
}

impl Table {
    /// The table as CSV (RFC 4180, UTF-8), with a heading row.
    #[must_use]
    pub fn csv(&self) -> String {
        let heading: Vec<&str> = self.columns.iter().map(|column| column.key).collect();
        let mut text = heading.join(",") + "\r\n";
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(csv_field).collect();
            text += &(cells.join(",") + "\r\n");
        }
        text
    }
}

/// A field of a CSV file. Text that a spreadsheet would take for a formula is preceded by an apostrophe.
fn csv_field(cell: &Cell) -> String {
    let is_formula = cell.is_text && cell.raw.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{}", cell.raw)
    } else {
        cell.raw.clone()
    };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

pub(super) const fn text(label: &'static str, key: &'static str) -> Column {
    Column {
        label,
        key,
        is_number: false,
    }
}

pub(super) const fn number(label: &'static str, key: &'static str) -> Column {
    Column {
        label,
        key,
        is_number: true,
    }
}

/// Every table of the report; each is published as `<name>.csv` beside the page.
#[must_use]
pub fn tables(report: &DailyReport) -> Vec<Table> {
    let mut tables = vec![
        headlines(report),
        rides_per_day(&report.rides_per_day),
        rides_per_hour(report),
        groups("city", CITY, &towns(&report.breakdowns), &OF_A_DAY, str::to_owned),
    ];
    tables.extend(breakdowns(&report.breakdowns, &OF_A_DAY));
    tables.push(quality(report));
    tables
}

/// Every table of the report of a week or a month.
#[must_use]
pub fn period_tables(report: &PeriodReport) -> Vec<Table> {
    let mut tables = vec![period_headlines(report), rides_per_day(&report.rides_per_day)];
    tables.extend(breakdowns(&report.breakdowns, &OF_SEVERAL_DAYS));
    tables
}

/// The tables of who rode and how, with these `figures` of each group.
fn breakdowns(of: &Breakdowns, figures: &[Figure]) -> [Table; 7] {
    [
        groups("gender", text("Gender", "gender"), &of.by_gender, figures, |name| {
            gender_name(name).to_owned()
        }),
        ages_and_genders(of, figures),
        histogram(
            "power",
            &of.power_per_ride,
            text("Mean power", "from_watts"),
            number("To", "to_watts"),
            "W",
        ),
        histogram(
            "heart-rate",
            &of.heart_rate_per_ride,
            text("Mean heart rate", "from_bpm"),
            number("To", "to_bpm"),
            "bpm",
        ),
        // Their rides overlap; their seconds are what counts.
        groups(
            "heart-rate-zones",
            text("Zone", "heart_rate_zone"),
            &of.heart_rate_zones,
            figures,
            |zone| zone_name(zone).to_owned(),
        ),
        groups(
            "channel",
            text("Channel", "channel"),
            &of.by_channel,
            figures,
            group_name,
        ),
        groups(
            "postcode-area",
            text("Postcode area", "postcode_area"),
            &of.by_postcode_area,
            figures,
            area_name,
        ),
    ]
}

/// A headline's name for programs, with its unit.
fn headline_key(key: HeadlineKey) -> &'static str {
    match key {
        HeadlineKey::Rides => "rides",
        HeadlineKey::Riders => "riders",
        HeadlineKey::NewRiders => "new_riders",
        HeadlineKey::DurationSeconds => "duration_seconds",
        HeadlineKey::EnergyKilojoules => "energy_kilojoules",
        HeadlineKey::PowerWattsMean => "power_watts_mean",
        HeadlineKey::HeartRateBpmMean => "heart_rate_bpm_mean",
        HeadlineKey::LongestRideSeconds => "longest_ride_seconds",
        HeadlineKey::PowerWattsMax => "power_watts_max",
    }
}

fn headlines(report: &DailyReport) -> Table {
    let row = |headline: &Headline| {
        let figure = |value: Option<f64>| Cell::number(value, |value| words::figure(headline.key, Some(value)));
        vec![
            Cell::text(words::label(headline.key), headline_key(headline.key)),
            figure(headline.value),
            figure(headline.day_before),
            figure(headline.week_before),
            figure(headline.seven_day_mean),
            figure(headline.mean_28_days),
            figure(headline.stddev_28_days),
        ]
    };
    Table {
        name: "headlines",
        columns: vec![
            text("Figure", "figure"),
            number("The day", "value"),
            number("Day before", "day_before"),
            number("Week before", "week_before"),
            number("7-day mean", "mean_7_days"),
            number("28-day mean", "mean_28_days"),
            number("Standard deviation", "stddev_28_days"),
        ],
        rows: report.headlines.iter().map(row).collect(),
    }
}

/// The headlines of a week or a month, beside those of the one before.
fn period_headlines(report: &PeriodReport) -> Table {
    let rows = report.headlines.iter().map(|headline| {
        let figure = |value: Option<f64>| Cell::number(value, |value| words::figure(headline.key, Some(value)));
        vec![
            Cell::text(words::label(headline.key), headline_key(headline.key)),
            figure(headline.value),
            figure(headline.before),
        ]
    });
    Table {
        name: "headlines",
        columns: vec![
            text("Figure", "figure"),
            number("Value", "value"),
            number("Before", "before"),
        ],
        rows: rows.collect(),
    }
}

/// Days and their rides.
fn rides_per_day(days: &[DayCount]) -> Table {
    let rows = days.iter().map(|count| {
        let shown = if count.rides.is_none() {
            "no data".to_owned()
        } else {
            Cell::count(count.rides).shown
        };
        let day = Cell {
            shown: format::date_medium(count.day),
            raw: count.day.to_string(),
            is_text: false,
        };
        vec![
            day,
            Cell {
                shown,
                ..Cell::count(count.rides)
            },
        ]
    });
    Table {
        name: "rides-per-day",
        columns: vec![text("Day", "day"), number("Rides", "rides")],
        rows: rows.collect(),
    }
}

fn rides_per_hour(report: &DailyReport) -> Table {
    let zone = report.timezone.parse::<chrono_tz::Tz>().unwrap_or(chrono_tz::UTC);
    let rows = report.rides_per_hour.iter().map(|hour| {
        let starts_at = hour.starts_at.with_timezone(&zone).to_rfc3339();
        vec![
            Cell {
                shown: format::clock(hour.starts_at, zone),
                raw: starts_at,
                is_text: false,
            },
            Cell::count(Some(hour.rides)),
            Cell::number(hour.usual, |usual| format::decimal(usual, 1)),
        ]
    });
    Table {
        name: "rides-per-hour",
        columns: vec![
            text("Hour", "starts_at"),
            number("Rides", "rides"),
            number("Usual", "usual_rides"),
        ],
        rows: rows.collect(),
    }
}

const CITY: Column = text("Town", "city");

/// Towns of at least five riders: the mere name of a smaller one would say where someone lives.
fn towns(breakdowns: &Breakdowns) -> Vec<Group> {
    let shown = breakdowns.by_city.iter().filter(|group| !group.is_suppressed);
    shown.cloned().collect()
}

/// Age bands, of all genders and of each.
fn ages_and_genders(of: &Breakdowns, figures: &[Figure]) -> Table {
    let all = of.by_age_band.iter().map(|band| (&band.name, "all", band));
    let each = of.by_age_and_gender.iter();
    let each = each.flat_map(|band| {
        band.genders
            .iter()
            .map(move |gender| (&band.name, gender.name.as_str(), gender))
    });
    let mut rows: Vec<(&String, &str, &Group)> = all.chain(each).collect();
    // A stable sort: within a band, all of it comes first.
    rows.sort_by_key(|(age, ..)| of.by_age_band.iter().position(|band| band.name == **age));
    let rows = rows.into_iter().map(|(age, gender, group)| {
        let who = if gender == "all" { "All" } else { gender_name(gender) };
        let mut row = vec![Cell::text(&group_name(age), age), Cell::text(who, gender)];
        row.extend(cells(group, figures));
        row
    });
    Table {
        name: "age",
        columns: columns([text("Age", "age_band"), text("Gender", "gender")], figures),
        rows: rows.collect(),
    }
}

/// What is told of a group.
#[derive(Debug, Clone, Copy)]
enum Figure {
    Rides,
    Riders,
    Duration,
    Energy,
}

const OF_A_DAY: [Figure; 4] = [Figure::Rides, Figure::Riders, Figure::Duration, Figure::Energy];
/// How many different riders a group has on several days is not known.
const OF_SEVERAL_DAYS: [Figure; 3] = [Figure::Rides, Figure::Duration, Figure::Energy];

impl Figure {
    fn column(self) -> Column {
        match self {
            Figure::Rides => number("Rides", "rides"),
            Figure::Riders => number("Riders", "riders"),
            Figure::Duration => number("Time ridden", "duration_seconds"),
            Figure::Energy => number("Energy", "energy_kilojoules"),
        }
    }

    fn cell(self, group: &Group) -> Cell {
        if group.is_suppressed {
            return Cell::suppressed();
        }
        match self {
            Figure::Rides => Cell::count(group.rides),
            Figure::Riders => Cell::count(group.riders),
            Figure::Duration => Cell::number(group.duration_seconds.map(whole), format::duration),
            Figure::Energy => Cell::number(group.energy_kilojoules, format::energy),
        }
    }
}

/// Columns of groups: what they are called, their figures, and, for programs, whether these are held back.
fn columns<const N: usize>(names: [Column; N], figures: &[Figure]) -> Vec<Column> {
    let figures = figures.iter().map(|figure| figure.column());
    names
        .into_iter()
        .chain(figures)
        .chain([number("", "is_suppressed")])
        .collect()
}

fn cells(group: &Group, figures: &[Figure]) -> impl Iterator<Item = Cell> {
    let is_suppressed = Cell {
        shown: String::new(),
        raw: group.is_suppressed.to_string(),
        is_text: false,
    };
    figures.iter().map(|figure| figure.cell(group)).chain([is_suppressed])
}

fn groups(
    name: &'static str,
    heading: Column,
    groups: &[Group],
    figures: &[Figure],
    shown: impl Fn(&str) -> String,
) -> Table {
    let rows = groups.iter().map(|group| {
        let mut row = vec![Cell::text(&shown(&group.name), &group.name)];
        row.extend(cells(group, figures));
        row
    });
    Table {
        name,
        columns: columns([heading], figures),
        rows: rows.collect(),
    }
}

fn histogram(name: &'static str, histogram: &Histogram, from: Column, to: Column, unit: &str) -> Table {
    let with_unit = |value: f64| format::with_unit(&format::count(value), unit);
    let rows = histogram.bins.iter().map(|bin| {
        vec![
            Cell {
                is_text: false,
                ..Cell::number(Some(bin.from), with_unit)
            },
            Cell::number(Some(bin.from + histogram.bin_width), with_unit),
            Cell::count(Some(bin.rides)),
        ]
    });
    Table {
        name,
        columns: vec![from, to, number("Rides", "rides")],
        rows: rows.collect(),
    }
}

fn quality(report: &DailyReport) -> Table {
    let rows = super::quality::checks(report).into_iter().map(|check| {
        vec![
            Cell::text(check.name, check.key),
            Cell::count(Some(check.count)),
            Cell::number(check.share, format::share),
            Cell::text(check.level.word(), check.level.key()),
        ]
    });
    Table {
        name: "data-quality",
        columns: vec![
            text("Check", "check"),
            number("Count", "count"),
            number("Share", "share"),
            text("Status", "status"),
        ],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_a_formula_or_break_out_of_its_field() {
        let field = |raw: &str| csv_field(&Cell::text(raw, raw));
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(field("-cmd"), "'-cmd");
        assert_eq!(field("Stoke, \"upper\""), "\"Stoke, \"\"upper\"\"\"");
        assert_eq!(field("Leeds"), "Leeds");
        assert_eq!(csv_field(&Cell::number(Some(-3.5), format::count)), "-3.5");
    }
}
