//! The files of a week or a month, from its report: the page, the report as JSON, a CSV file a table.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    chart::{Chart, Charted, whole},
    html::{self, ChartView, Figure, Links, TILES, WIDE},
    table::period_tables,
};
use crate::{
    domain::{
        artifact::{Artifact, media_type_of},
        period_report::{PeriodHeadline, PeriodReport},
        report::HeadlineKey,
        window::{Period, Window},
    },
    template::{Templates, format, words},
};

/// Fewer rides than this say little of how people ride.
const FEW_RIDES: f64 = 30.0;
/// A change of less than this share is not worth a sentence.
const NOTABLE_CHANGE: f64 = 0.05;

/// The windows of the same length with a report beside this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// The newest report before.
    pub previous: Option<Window>,
    /// The oldest report after.
    pub next: Option<Window>,
}

/// A window that a page links to.
#[derive(Debug, Serialize)]
struct Link {
    window: Window,
    name: String,
}

#[derive(Debug, Serialize)]
struct PeriodPage<'a> {
    links: Links,
    report: &'a PeriodReport,
    /// `week` or `month`.
    period: &'static str,
    /// `Week 47, 2026`, `November 2026`.
    name: String,
    /// `16 November to 22 November 2026`; a month's name says as much.
    dates: Option<String>,
    sentences: Vec<String>,
    notes: Vec<String>,
    tiles: Vec<Figure>,
    figures: Vec<Figure>,
    days: ChartView,
    charts: Vec<ChartView>,
    previous: Option<Link>,
    next: Option<Link>,
}

/// A window as the index lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeriodEntry {
    /// The window.
    pub window: Window,
    folder: &'static str,
    name: String,
    rides: String,
    change: String,
    riders: String,
    duration: String,
    power: String,
    /// Days that are missing.
    missing: usize,
}

/// The folder of the site that pages of windows of that length are in; days have one of their own.
#[must_use]
pub fn folder_of(period: Period) -> &'static str {
    match period {
        Period::Day => "daily",
        Period::Week => "weekly",
        Period::Month => "monthly",
    }
}

/// The files of a week or a month, below `weekly/2026-W47/` or `monthly/2026-11/`.
///
/// # Errors
/// Something could not be rendered; the message says what.
pub fn artifacts(report: &PeriodReport, beside: Beside, templates: &Templates) -> Result<Vec<Artifact>> {
    let folder = folder_of(report.window.period().context("an instant has no report")?);
    let artifact = |name: &str, bytes: Vec<u8>| Artifact {
        path: format!("{folder}/{}/{name}", report.window),
        media_type: media_type_of(name),
        bytes,
    };
    let mut json = serde_json::to_vec_pretty(report).context("failed to write the report as JSON")?;
    json.push(b'\n');
    let mut artifacts = vec![artifact("index.html", page(report, beside, templates)?.into_bytes())];
    for table in period_tables(report) {
        artifacts.push(artifact(&format!("{}.csv", table.name), table.csv().into_bytes()));
    }
    artifacts.push(artifact("report.json", json));
    Ok(artifacts)
}

/// The page of a week or a month.
///
/// # Errors
/// The chart could not be drawn, or the template does not fit.
pub fn page(report: &PeriodReport, beside: Beside, templates: &Templates) -> Result<String> {
    let period = report.window.period().context("an instant has no report")?.name();
    let figure = |headline: &PeriodHeadline| Figure {
        label: words::label(headline.key),
        value: words::figure_short(headline.key, headline.value),
        changes: change(headline, period).into_iter().collect(),
        usual: None,
        spark: String::new(),
    };
    let tiles = TILES.iter().filter_map(|key| report.headline(*key));
    let others = report
        .headlines
        .iter()
        .filter(|headline| !TILES.contains(&headline.key));
    let link = |window: Window| Link {
        window,
        name: name_of(window),
    };
    let (of, tables) = (Charted::from(report), period_tables(report));
    let view = PeriodPage {
        links: Links::from("../../"),
        report,
        period,
        name: name_of(report.window),
        dates: (period == Period::Week.name()).then(|| {
            format!(
                "{} to {}",
                format::date_long(report.first_day),
                format::date_long(report.last_day)
            )
        }),
        sentences: sentences(report, period),
        notes: notes(report, period),
        tiles: tiles.map(figure).collect(),
        figures: others.map(figure).collect(),
        days: html::chart(Chart::Days, &of, &tables, WIDE)?,
        charts: html::cards(&of, &tables)?,
        previous: beside.previous.map(link),
        next: beside.next.map(link),
    };
    templates
        .render("report/period.html", &view)
        .with_context(|| format!("failed to render the page of {}", report.window))
}

/// A window's name for people: `Week 47, 2026`, `November 2026`.
fn name_of(window: Window) -> String {
    let text = window.to_string();
    match (window.span(), text.split_once("-W")) {
        (_, Some((year, week))) => format!("Week {}, {year}", week.trim_start_matches('0')),
        (Some((first, _)), None) => format::month(first),
        (None, None) => text,
    }
}

fn change(headline: &PeriodHeadline, period: &str) -> Option<String> {
    let (value, before) = (headline.value?, headline.before?);
    Some(words::changed(
        headline.key,
        value,
        before,
        &format!("the {period} before"),
    ))
}

/// What is worth knowing: how much was ridden, what else changed most, and on which days most and least was ridden.
fn sentences(report: &PeriodReport, period: &str) -> Vec<String> {
    let rides = report.headline(HeadlineKey::Rides);
    let count = rides.and_then(|rides| rides.value).unwrap_or(0.0);
    let recorded = match count {
        0.0 => return vec![format!("No rides were recorded in this {period}.")],
        1.0 => "One ride was recorded".to_owned(),
        count => format!("{} rides were recorded", format::count(count)),
    };
    let change = rides.and_then(|rides| change(rides, period));
    let first = change.map_or_else(|| format!("{recorded}."), |change| format!("{recorded}: {change}."));
    [
        Some(first),
        largest_change(report, period),
        busiest_and_quietest(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The largest change of how it was ridden; none where it is small, or where few rides say little.
fn largest_change(report: &PeriodReport, period: &str) -> Option<String> {
    let rides = report.headline(HeadlineKey::Rides)?;
    if rides.value? < FEW_RIDES || rides.before? < FEW_RIDES {
        return None;
    }
    let share = |headline: &PeriodHeadline| {
        let (value, before) = (headline.value?, headline.before.filter(|&before| before > 0.0)?);
        Some((value / before - 1.0).abs())
    };
    let keys = [HeadlineKey::PowerWattsMean, HeadlineKey::HeartRateBpmMean];
    let changes = keys.iter().filter_map(|&key| {
        let headline = report.headline(key)?;
        Some((headline, share(headline)?))
    });
    let (headline, share) = changes.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let (label, figure) = (words::label(headline.key), words::figure(headline.key, headline.value));
    (share >= NOTABLE_CHANGE)
        .then(|| change(headline, period))
        .flatten()
        .map(|change| format!("{label} was {figure}: {change}."))
}

/// On which day most and on which least was ridden, of several that differ.
fn busiest_and_quietest(report: &PeriodReport) -> Option<String> {
    let known = report
        .rides_per_day
        .iter()
        .filter_map(|day| Some((day.day, day.rides?)));
    // The earliest of equals.
    let (busiest, most) = known.clone().rev().max_by_key(|(_, rides)| *rides)?;
    let (quietest, least) = known.min_by_key(|(_, rides)| *rides)?;
    let count = |rides: i64| match rides {
        0 => "none".to_owned(),
        rides => format::count(whole(rides)),
    };
    (most > least).then(|| {
        format!(
            "Most rides were on {}, {}; fewest on {}, {}.",
            format::date_medium(busiest),
            count(most),
            format::date_medium(quietest),
            count(least)
        )
    })
}

/// What is unlike other weeks or months about this one: days that are missing, here or in what it is compared with.
fn notes(report: &PeriodReport, period: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let names: Vec<_> = report.missing_days.iter().map(|&day| format::date_short(day)).collect();
    match names.as_slice() {
        [] => {}
        [one] => notes.push(format!("One day is missing, {one}: its rides are in no figure.")),
        many => notes.push(format!(
            "{} days are missing, {}: their rides are in no figure.",
            many.len(),
            many.join(", ")
        )),
    }
    let has_before = report.headlines.iter().any(|headline| headline.before.is_some());
    match report.missing_days_before.len() {
        0 => {}
        _ if !has_before => notes.push(format!("Nothing is known of the {period} before.")),
        1 => notes.push(format!(
            "One day is missing of the {period} before, which it is compared with."
        )),
        missing => notes.push(format!(
            "{missing} days are missing of the {period} before, which it is compared with."
        )),
    }
    notes
}

impl PeriodEntry {
    /// The entry of `report`.
    #[must_use]
    pub fn of(report: &PeriodReport) -> PeriodEntry {
        let figure = |key| {
            let headline = report.headline(key);
            headline.map_or(format::NOTHING.to_owned(), |headline| {
                words::figure(key, headline.value)
            })
        };
        let period = report.window.period().unwrap_or(Period::Day);
        let rides = report.headline(HeadlineKey::Rides);
        let change = rides.and_then(|rides| change(rides, period.name())).unwrap_or_default();
        let (on, same) = (
            format!(" on the {} before", period.name()),
            format!("as the {} before", period.name()),
        );
        PeriodEntry {
            window: report.window,
            folder: folder_of(period),
            name: name_of(report.window),
            rides: figure(HeadlineKey::Rides),
            change: change.replace(&on, "").replace(&same, "same"),
            riders: figure(HeadlineKey::Riders),
            duration: figure(HeadlineKey::DurationSeconds),
            power: figure(HeadlineKey::PowerWattsMean),
            missing: report.missing_days.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rendered(report: &PeriodReport, name: &str) -> String {
        let beside = Beside {
            previous: report.window.before(),
            next: report.window.after(),
        };
        let artifacts = artifacts(report, beside, &Templates::load(None).unwrap()).unwrap();
        let found = artifacts.iter().find(|artifact| artifact.path == name);
        let found = found.unwrap_or_else(|| panic!("no `{name}`"));
        String::from_utf8(found.bytes.clone())
            .unwrap()
            .replace(format::THIN, "_")
    }

    #[test]
    fn a_week_has_its_figures_with_their_change_its_days_and_what_is_missing() {
        let page = rendered(&sample::week(), "weekly/2025-W10/index.html");
        for words in [
            "Week 10, 2025",
            "Monday 3 March 2025 to Sunday 9 March 2025",
            "17,060 rides were recorded: ▲_25_% on the week before.",
            "Mean power was 187_W: ▲_8_% on the week before.",
            "Women 48_%",
            "2 days are missing, 8 Mar, 9 Mar: their rides are in no figure.",
            "One day is missing of the week before, which it is compared with.",
            "href=\"rides-per-day.csv\"",
            "href=\"../2025-W09/index.html\"",
            "href=\"../2025-W11/index.html\"",
        ] {
            assert!(page.contains(words), "`{words}` is not in {page}");
        }
        let csv = rendered(&sample::week(), "weekly/2025-W10/rides-per-day.csv");
        assert!(csv.starts_with("day,rides\r\n2025-03-03,3412\r\n"), "{csv}");
        assert!(csv.ends_with("2025-03-09,\r\n"), "{csv}");
        let csv = rendered(&sample::week(), "weekly/2025-W10/headlines.csv");
        assert!(csv.contains("\r\nrides,17060,13648\r\n"), "{csv}");
    }

    #[test]
    fn each_chart_of_a_week_has_its_table_beside_it_and_none_tells_of_different_riders() {
        let report = sample::week();
        let page = rendered(&report, "weekly/2025-W10/index.html");
        let artifacts = artifacts(&report, Beside::default(), &Templates::load(None).unwrap()).unwrap();
        let beside: Vec<_> = artifacts
            .iter()
            .filter(|artifact| artifact.path.ends_with(".csv"))
            .collect();
        assert_eq!(beside.len(), 9);
        for artifact in beside {
            let name = artifact.path.rsplit('/').next().unwrap();
            assert!(page.contains(&format!("href=\"{name}\"")), "{name} is not linked");
            let heading = String::from_utf8_lossy(&artifact.bytes);
            let heading = heading.lines().next().unwrap().to_owned();
            assert!(!heading.contains("riders"), "{name}: {heading}");
        }
        let csv = rendered(&report, "weekly/2025-W10/gender.csv");
        assert!(csv.contains("\r\nfemale,8110,15003500,2534375,false\r\n"), "{csv}");
        let json: PeriodReport = serde_json::from_str(&rendered(&report, "weekly/2025-W10/report.json")).unwrap();
        assert_eq!(json, report);
    }

    #[test]
    fn the_days_of_most_and_fewest_rides_are_named() {
        let mut report = sample::week();
        report.rides_per_day[1].rides = Some(5_000);
        report.rides_per_day[3].rides = Some(0);
        assert_eq!(
            sentences(&report, "week").last().unwrap(),
            "Most rides were on Tue 4 Mar, 5,000; fewest on Thu 6 Mar, none."
        );
    }

    #[test]
    fn a_month_without_anything_says_so_and_shows_no_number_that_is_none() {
        let page = rendered(&sample::empty_month(), "monthly/2025-02/index.html");
        assert!(
            page.contains("February 2025") && page.contains("No rides were recorded in this month."),
            "{page}"
        );
        assert!(page.contains("Nothing is known of the month before."), "{page}");
        assert!(!page.contains("NaN") && !page.contains("None"), "{page}");
    }
}
